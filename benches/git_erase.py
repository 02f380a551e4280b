#!/usr/bin/env python3
"""An e-mail address erased from every version of public Git histories, and looked for with other means.

  benches/git_erase.py [REPO…] [--stem target/release/stem] [--scratch DIR] [--fetch]

REPO and `--fetch` are as for `git_history.py`. Of each history that address of an author goes which stands in the most
files' contents, or, where no author's does, the address that stands in the most. The history is imported; `erase plan
--containing`, `run` and `verify` follow. Then, without `stem`: every frame of every pack is decompressed with libzstd and
every file of the store is read, for the address; every version is exported, searched by `grep -r`, and compared line by line
with what Git has: the lines with the address are gone, nothing else is. Who made a version stands in its id, so an author's
name stays there and in the catalogue: these are told apart. What has no lines is not rewritten, and the plan names it ("unproven").
Prints one JSON line per history; exits with 1 if anything is found, or a run cannot come to its end. Needs git and libzstd, and dpkg with `--fetch`.
"""
import collections
import ctypes
import ctypes.util
import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

from git_history import ENV, histories, left_out, output, versions_of

ADDRESS = re.compile(rb"[A-Za-z0-9][A-Za-z0-9._+-]*@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,}")
# The catalogue repeats who made a version.
REPEATS = ("catalogue.db", "journal.jsonl")
HEAD, TRAILER, FRAME, VERSION = 64, 52, 9, 5


def blobs_of(repository):
    """Every blob of a repository, by its id."""
    listed = output(["git", "rev-list", "--objects", "--branches", "--tags"], repository).split(b"\n")
    names = b"\n".join(line.split(b" ", 1)[0] for line in listed if line) + b"\n"
    ran = subprocess.run(["git", "cat-file", "--batch"], cwd=repository, input=names, stdout=subprocess.PIPE, check=True)
    blobs, at = {}, 0
    while at < len(ran.stdout):
        end = ran.stdout.index(b"\n", at)
        name, kind, size = ran.stdout[at:end].decode().split()
        if kind == "blob":
            blobs[name] = ran.stdout[end + 1:end + 1 + int(size)]
        at = end + 2 + int(size)
    return blobs


def chosen(repository, blobs):
    """The address to erase, and whether it is an author's."""
    authors = set(output(["git", "log", "--branches", "--tags", "--format=%ae"], repository).split(b"\n"))
    count = collections.Counter(address for text in blobs.values() if b"\0" not in text for address in set(ADDRESS.findall(text)))
    # A longer address that ends or begins with it would go as well.
    alone = [(number, address) for address, number in count.items() if not any(
        address != other and address in other for other in count)]
    own = [one for one in alone if one[1] in authors]
    return (max(own or alone, default=(0, None))[1], bool(own))


class Frames:
    """Every object of a pack, by what stands in the file alone."""

    def __init__(self):
        self.zstd = ctypes.CDLL(ctypes.util.find_library("zstd") or "libzstd.so.1")
        self.zstd.ZSTD_decompress.restype = ctypes.c_size_t

    def of(self, data):
        """Kind and bytes of each."""
        at, end = HEAD, int.from_bytes(data[-TRAILER:-TRAILER + 8], "little")
        while at < end:
            raw, stored = (int.from_bytes(data[at + n:at + n + 4], "little") for n in (1, 5))
            body = data[at + FRAME:at + FRAME + stored]
            yield data[at] >> 4, body if data[at] & 15 == 0 else self.plain(body, raw)
            at += FRAME + stored

    def plain(self, body, raw):
        # Frames are kept without the magic number.
        body, out = b"\x28\xb5\x2f\xfd" + body, ctypes.create_string_buffer(raw)
        size = self.zstd.ZSTD_decompress(out, ctypes.c_size_t(raw), body, ctypes.c_size_t(len(body)))
        if size != raw:
            sys.exit("a frame cannot be decompressed")
        return out.raw


def scan(store, address):
    """Where it stands in a store: frames of versions, other frames, files as they lie; and how many frames there are."""
    frames, versions, found, count = Frames(), 0, [], 0
    for path in (path for path in store.rglob("*") if path.is_file()):
        data = path.read_bytes()
        if path.parent.name == "packs":
            for kind, body in frames.of(data):
                count += 1
                if address in body:
                    versions += kind == VERSION
                    found += [str(path)] if kind != VERSION else []
        elif address in data and not path.name.startswith(REPEATS):
            found.append(str(path))
    return versions, found, count


def without(text, address):
    return b"".join(line for line in text.splitlines(keepends=True) if address not in line)


def compare(tree, stem, repository, blobs, address, spared, place):
    """Exports every version; what is found there, and what is not as Git has it but for the lines."""
    found, differ, files = [], [], 0
    for commit, shown in versions_of(stem, tree):
        out = place / "out"
        # 3: some of it is gone by design.
        subprocess.run([stem, "export", "-q", shown["version"], out], cwd=tree, env=ENV, stderr=subprocess.DEVNULL)
        grep = subprocess.run(["grep", "-r", "-l", "-a", "-F", address.decode(), out], stdout=subprocess.PIPE)
        found += [f"{commit}: {os.path.relpath(path, out)}" for path in grep.stdout.decode().split()]
        for line in output(["git", "ls-tree", "-r", "-z", commit], repository).split(b"\0")[:-1]:
            head, path = line.split(b"\t", 1)
            mode, kind, name = head.decode().split()
            if kind != "blob" or mode == "120000" or path in spared:
                continue
            files += 1
            there, text = out / os.fsdecode(path), blobs[name]
            got = there.read_bytes() if there.is_file() else None
            if got not in (text, without(text, address)):
                differ.append(f"{commit}: {os.fsdecode(path)}")
        shutil.rmtree(out)
    return found, differ, files


def erase(o, repository, place):
    tree = place / "tree"
    tree.mkdir(parents=True)
    env = dict(ENV, HOME=str(place))
    blobs = blobs_of(repository)
    address, is_author = chosen(repository, blobs)
    told = dict(repository=repository.name, blobs=len(blobs), author=is_author)
    if address is None:
        return dict(told, address=None), False

    def stem(*arguments, may=(0,)):
        ran = subprocess.run([o.stem, *map(str, arguments), "--json"], cwd=tree, env=env, stdout=subprocess.PIPE)
        if ran.returncode not in may:
            sys.exit(f"{repository.name}: stem {arguments}: exit {ran.returncode}")
        return json.loads(ran.stdout)["data"] if ran.stdout else None

    stem("init", "--dataset", "history")
    stem("key", "generate")
    spared = left_out(stem("import", "git", repository, may=(0, 3)))
    before = sum(address in text for text in blobs.values())
    begun = time.monotonic()
    plan = stem("erase", "plan", "--containing", address.decode(), "--reason", "measured", may=(0, 20))
    run = stem("erase", "run", plan["plan"], may=(0, 20))
    took = time.monotonic() - begun
    if run is None:
        return dict(told, address=address.decode(), ended=False), True
    stem("erase", "verify", plan["plan"])
    versions, found, frames = scan(tree / ".stem/store", address)
    if not is_author and versions == 0:
        found += [str(path) for path in (tree / ".stem/store").glob("*.*") if address in path.read_bytes()]
    exported, differ, files = compare(tree, o.stem, repository, blobs, address, spared, place)
    fsck = stem("fsck", "--read-data")
    told.update(address=address.decode(), blobs_with_it=before, files_rewritten=len(plan["targets"]), records=plan["records"],
                versions_touched=len(plan["versions"]), erase_s=round(took, 2), frames_read=frames, files_compared=files,
                frames_of_versions_with_it=versions, found_in_store=found, found_in_versions=exported[:5], differ=differ[:5],
                unproven=run.get("unproven", []), fsck=fsck["ok"])
    return told, bool(found or differ or not fsck["ok"] or (exported and not run.get("unproven")))


if __name__ == "__main__":
    sys.exit(histories(__doc__, "/tmp/stem-git-erase", erase))
