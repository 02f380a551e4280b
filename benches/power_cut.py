#!/usr/bin/env python3
"""Power cuts: what was said to be done is there afterwards, and what was said to be erased is not.

  benches/power_cut.py commits [--rounds 100] [--planted]
  benches/power_cut.py erasures [--rounds 30] [--planted]
  both: [--fs ext4|xfs] [--stem target/release/stem] [--scratch DIR] [--mib 512] [--seed N]

Needs root and a Linux kernel with loop devices: a file system is made in a file, and cut off by its own shutdown call, without
flushing anything (EXT4_IOC_SHUTDOWN or XFS_IOC_GOINGDOWN with NOLOGFLUSH), while the work is stopped; then it is mounted
again, so that it replays its journal.

`commits`: files are written, added and committed, tags set, branches switched, garbage collected, one command after the other. Each
that ends well is noted outside. After the cut `fsck --read-data` must find nothing, every version and tag that was noted must
be there, the last versions must hold the bytes that were noted, `status` must name every file of the worktree that lost its
bytes, and the next commit must succeed.

`erasures`: a file with a random mark is committed, edited and erased; the power is cut right after `erase run` has
said that it is done, or somewhere on its way, and then the run goes on. The mark, which was on the device before, must not
be found in any byte of the device afterwards, and `erase verify` must agree.

`--planted` takes fsync and fdatasync away from the program (strace answers for the kernel): if that is not noticed, the
harness proves nothing, and it exits with 1. Prints one JSON line at the end; exits with 1 if anything was lost or found.
"""
import argparse
import fcntl
import hashlib
import json
import os
import random
import shutil
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path

# The same number for ext4 and XFS.
SHUTDOWN, NOLOGFLUSH = 0x8004587D, 2
NO_SYNC = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=fsync,fdatasync", "-e", "inject=fsync,fdatasync:retval=0"]
COMPARED = 3


class Bad(Exception):
    """A promise that was not kept."""


class Disk:
    """A file system in a file, which can lose its power."""

    def __init__(self, place, fs, mib):
        self.image, self.top, self.fs = place / "disk", place / "mounted", fs
        self.top.mkdir()
        with open(self.image, "wb") as file:
            os.posix_fallocate(file.fileno(), 0, mib << 20)
        subprocess.run([f"mkfs.{fs}", "-q", {"ext4": "-F", "xfs": "-f"}[fs], self.image], check=True)
        found = subprocess.run(["losetup", "-f", "--show", self.image], check=True, stdout=subprocess.PIPE)
        self.device = found.stdout.decode().strip()

    def mount(self):
        subprocess.run(["mount", "-t", self.fs, self.device, self.top], check=True)

    def cut(self):
        """Nothing that was not synced reaches the device any more."""
        top = os.open(self.top, os.O_RDONLY)
        try:
            fcntl.ioctl(top, SHUTDOWN, struct.pack("I", NOLOGFLUSH))
        finally:
            os.close(top)

    def unmount(self):
        for _ in range(100):
            if subprocess.run(["umount", self.top], stderr=subprocess.DEVNULL).returncode == 0:
                return
            time.sleep(0.05)
        sys.exit(f"{self.top} cannot be unmounted")

    def holds(self, mark):
        os.sync()
        with open(self.image, "rb") as file:
            tail = b""
            while block := file.read(8 << 20):
                if mark in tail + block:
                    return True
                tail = block[-len(mark):]
        return False

    def end(self):
        subprocess.run(["umount", self.top], stderr=subprocess.DEVNULL)
        subprocess.run(["losetup", "-d", self.device])


class Stem:
    """The program in a repository on the disk."""

    def __init__(self, o, tree, before=()):
        self.command, self.tree = [*before, os.path.abspath(o.stem)], tree
        self.env = dict(os.environ, HOME=str(o.place), STEM_AUTHOR="Ann Example <ann@example.org>")

    def start(self, *arguments):
        command = [*self.command, *map(str, arguments), "--json"]
        out = subprocess.PIPE
        return subprocess.Popen(command, cwd=self.tree, env=self.env, stdout=out, stderr=out, start_new_session=True)

    def do(self, *arguments, allowed=(0,)):
        process = self.start(*arguments)
        said, errors = process.communicate()
        if process.returncode not in allowed:
            raise Bad(f"stem {' '.join(map(str, arguments))}: exit {process.returncode}: {(said + errors).decode()[-400:]}")
        return json.loads(said)["data"] if process.returncode == 0 else None


def sums(tree):
    files = (file for file in tree.rglob("*") if file.is_file() and ".stem" not in file.parts)
    return {str(file.relative_to(tree)): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def work(o, seed, before):
    """Commits and more, until the end comes from outside. One line is noted for each thing done."""
    dice, tree = random.Random(seed), o.place / "mounted" / "tree"
    stem, noted = Stem(o, tree, before), open(o.place / "noted", "a", buffering=1)
    number = 0
    while True:
        number += 1
        for _ in range(dice.randint(1, 12)):
            file = tree / f"d{dice.randrange(4)}" / f"{dice.randrange(40)}.txt"
            file.parent.mkdir(exist_ok=True)
            file.write_bytes(dice.randbytes(dice.choice((0, 100, 5_000, 120_000))))
        stem.do("add", "-A")
        made = stem.do("commit", "-m", f"{seed} {number}", allowed=(0, 1))
        if made:
            noted.write(json.dumps(dict(version=made["version"], files=sums(tree))) + "\n")
        chance = dice.random()
        if chance < 0.2:
            tag = f"t{seed}-{number}"
            version = stem.do("tag", tag)["changed"]["version"]
            noted.write(json.dumps(dict(tag=tag, version=version)) + "\n")
        elif chance < 0.35:
            stem.do("gc", "--grace", "0s", "--yes")
        elif chance < 0.5:
            branch = f"b{seed}-{number}"
            stem.do("switch", "-c", branch)
            noted.write(json.dumps(dict(branch=branch)) + "\n")
        elif chance < 0.7:
            branches = [one["name"] for one in stem.do("branch")["branches"]]
            stem.do("switch", dice.choice(branches))


def check_commits(o, stem):
    """Everything that was noted; returns how many versions, files compared, and files that `status` has told."""
    found = stem.do("fsck", "--read-data")
    if not found["ok"]:
        raise Bad(f"fsck: {found}")
    lines = [json.loads(line) for line in (o.place / "noted").read_text().splitlines() if line.endswith("}")]
    versions = [line for line in lines if "files" in line]
    known = {entry["version"] for entry in stem.do("log", "--all", "-n", 1_000_000)["versions"]}
    lost = [line["version"] for line in versions if line["version"] not in known]
    if lost:
        raise Bad(f"{len(lost)} of {len(versions)} versions are lost")
    tags = {one["name"]: one["version"] for one in stem.do("tag")["tags"]}
    branches = {one["name"] for one in stem.do("branch")["branches"]}
    for line in lines:
        if "tag" in line and tags.get(line["tag"]) != line["version"]:
            raise Bad(f"tag {line['tag']} is lost or another version")
        if "branch" in line and line["branch"] not in branches:
            raise Bad(f"branch {line['branch']} is lost")
    compared = 0
    for line in versions[-COMPARED:]:
        if exported(o, stem, line["version"]) != line["files"]:
            raise Bad(f"version {line['version']} holds other bytes")
        compared += len(line["files"])
    return len(versions), compared, check_status(o, stem)


def exported(o, stem, version):
    out = o.place / "out"
    shutil.rmtree(out, ignore_errors=True)
    stem.do("export", version, out)
    return sums(out)


def check_status(o, stem):
    """Every file that has lost its bytes must be told, though `status` reads no content where stat data agree."""
    said = stem.do("status")
    told = {one["path"] for what in ("staged", "changed", "untracked") for one in said[what]}
    here, there = sums(stem.tree), exported(o, stem, "HEAD") if said["head"] else {}
    other = {path for path in here.keys() | there.keys() if here.get(path) != there.get(path)}
    if other - told:
        raise Bad(f"status does not know that {sorted(other - told)[:3]} changed")
    return len(other)


def commits(o, disk, before):
    dice, tree = random.Random(o.seed), disk.top / "tree"
    disk.mount()
    tree.mkdir()
    stem = Stem(o, tree)
    stem.do("init")
    os.sync()
    compared = told = 0
    for number in range(o.rounds):
        seed = dice.randrange(1 << 30)
        command = [sys.executable, __file__, "work", "--stem", o.stem, "--scratch", str(o.place), "--seed", str(seed)]
        worker = subprocess.Popen(command + ["--planted"] * bool(before), start_new_session=True)
        time.sleep(0.15 + dice.random() * (4 if before else 1.2))
        if worker.poll() is not None:
            raise Bad(f"round {number}: the work ended by itself")
        # The commands are sessions of their own: all that has files open there is stopped.
        stop_all(worker, disk)
        disk.unmount()
        disk.mount()
        versions, files, changed = check_commits(o, stem)
        compared, told = compared + files, told + changed
        (tree / "after.txt").write_text(f"{number}\n")
        stem.do("add", "-A")
        stem.do("commit", "-m", "after the cut", allowed=(0, 1))
    return dict(cuts=o.rounds, versions=versions, files_compared=compared, files_told=told)


def stop_all(worker, disk):
    """Stops the worker and its commands, cuts the power, and ends them."""
    os.kill(worker.pid, signal.SIGSTOP)
    pids = descendants(worker.pid)
    for pid in pids:
        signal_to(pid, signal.SIGSTOP)
    time.sleep(0.02)
    disk.cut()
    for pid in [*pids, *descendants(worker.pid), worker.pid]:
        signal_to(pid, signal.SIGKILL)
    worker.wait()


def signal_to(pid, what):
    try:
        os.kill(pid, what)
    except ProcessLookupError:
        pass


def descendants(pid):
    found, waiting = [], [pid]
    while waiting:
        one = waiting.pop()
        try:
            tasks = Path(f"/proc/{one}/task").iterdir()
            children = [int(child) for task in tasks for child in (task / "children").read_text().split()]
        except FileNotFoundError:
            continue
        found += children
        waiting += children
    return found


def erasures(o, disk, before):
    dice, tree = random.Random(o.seed), disk.top / "tree"
    disk.mount()
    tree.mkdir()
    plain, stem = Stem(o, tree), Stem(o, tree, before)
    plain.do("init")
    key = plain.do("key", "generate")["key"]["id"]
    plain.do("key", "trust", key, "--role", "author", "--role", "custodian")
    midway = 0
    for number in range(o.rounds):
        mark = dice.randbytes(48).hex().encode()
        others = [f"{dice.getrandbits(64):x} of round {number}\n".encode() for _ in range(dice.choice((10, 4_000)))]
        at = dice.randrange(len(others))
        (tree / "people.txt").write_bytes(b"".join(others[:at]) + mark + b"\n" + b"".join(others[at:]))
        (tree / "other.txt").write_bytes(b"".join(others))
        plain.do("add", "-A")
        first = plain.do("commit", "-m", f"{number}")["version"]
        if dice.random() < 0.5:
            with open(tree / "people.txt", "ab") as file:
                file.write(b"one more\n")
            plain.do("add", "-A")
            plain.do("commit", "-m", f"{number} again")
        if not disk.holds(mark) and number < 3:
            # What was compressed does not show; the file in the worktree does.
            raise Bad("the mark was not on the device to begin with")
        plan = plain.do("erase", "plan", "--path", "people.txt", "--reason", "a power cut")["plan"]
        run = stem.start("erase", "run", plan)
        if dice.random() < 0.5:
            time.sleep(dice.random() * (1.5 if before else 0.25))
            cut_short = run.poll() is None
        else:
            run.wait()
            cut_short = False
        midway += cut_short
        pids = [run.pid, *descendants(run.pid)]
        for pid in pids:
            signal_to(pid, signal.SIGSTOP)
        disk.cut()
        for pid in pids:
            signal_to(pid, signal.SIGKILL)
        said, errors = run.communicate()
        if not cut_short and run.returncode:
            raise Bad(f"erase run: exit {run.returncode}: {(said + errors).decode()[-400:]}")
        disk.unmount()
        if not cut_short and disk.holds(mark):
            raise Bad(f"round {number}: the mark is on the device after a run that has ended")
        disk.mount()
        if cut_short:
            said = plain.do("erase", "run", plan)
            disk.unmount()
            if disk.holds(mark):
                raise Bad(f"round {number}: the mark is on the device after a run that was cut and has gone on")
            disk.mount()
        certificate = said if cut_short else json.loads(said)["data"]
        plain.do("erase", "verify", certificate["certificate"])
        plain.do("fsck", "--read-data")
        plain.do("cat", f"{first}:people.txt", allowed=(19,))
        plain.do("export", first, o.place / "exported", allowed=(0, 3))
        if (o.place / "exported" / "other.txt").read_bytes() != b"".join(others):
            raise Bad(f"round {number}: a file that was not erased is another one")
        shutil.rmtree(o.place / "exported")
    return dict(cuts=o.rounds, midway=midway)


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("what", choices=["commits", "erasures", "work"])
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--planted", action="store_true")
    parser.add_argument("--stem", default="target/release/stem")
    parser.add_argument("--scratch", default="/tmp/stem-power")
    parser.add_argument("--fs", choices=["ext4", "xfs"], default="ext4")
    parser.add_argument("--mib", type=int, default=512)
    parser.add_argument("--seed", type=int, default=7)
    o = parser.parse_args()
    o.place, o.rounds = Path(o.scratch).absolute(), o.rounds or {"commits": 100}.get(o.what, 30)
    before = NO_SYNC if o.planted else []
    if o.what == "work":
        work(o, o.seed, before)
    shutil.rmtree(o.place, ignore_errors=True)
    o.place.mkdir(parents=True)
    disk = Disk(o.place, o.fs, o.mib)
    try:
        line, bad = {"commits": commits, "erasures": erasures}[o.what](o, disk, before), None
    except Bad as error:
        line, bad = {}, str(error)
    finally:
        disk.end()
    print(json.dumps(dict(what=o.what, fs=o.fs, planted=o.planted, **line, bad=bad)))
    sys.exit(0 if (bad is not None) == o.planted else 1)


if __name__ == "__main__":
    main()
