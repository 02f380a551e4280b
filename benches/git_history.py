#!/usr/bin/env python3
"""A Git history, imported, and every version of it exported again and compared with what Git gives.

  benches/git_history.py [REPO…] [--stem target/release/stem] [--scratch DIR] [--fetch]

REPO is a Git repository on this machine. With `--fetch` come the histories that Debian's package
golang-github-go-git-go-git-fixtures-dev ships as test data (`apt-get download` fetches it): public
repositories with merges, executable files, links, submodules and tags, up to 908 commits. Every commit is
compared by names, kinds, executable bits, links' targets and bytes; submodules are left out by design.
Prints one JSON line per repository. Exits with 1 if anything differs. Needs git, and dpkg with `--fetch`.
"""
import argparse
import base64
import gzip
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

PACKAGE = "golang-github-go-git-go-git-fixtures-dev"
ENV = dict(os.environ, STEM_AUTHOR="b <b@x>", GIT_CONFIG_NOSYSTEM="1")


def output(command, cwd):
    return subprocess.run(command, cwd=cwd, env=ENV, check=True, stdout=subprocess.PIPE).stdout


def fetch(place):
    """The packs in the package that are whole histories, each as a bare repository."""
    output(["apt-get", "download", "-qq", PACKAGE], place)
    output(["dpkg", "-x", next(place.glob("*.deb")), "package"], place)
    text = next(place.glob("package/**/go-git-fixtures/data.go")).read_text()
    packed = re.findall(r'"/data/(pack-[0-9a-f]+)\.pack": \{.*?compressed: `\n?(.*?)`', text, re.S)
    for name, content in packed:
        repository = place / f"{name[:13]}.git"
        output(["git", "init", "-q", "--bare", repository], place)
        pack = gzip.decompress(base64.b64decode(content))
        subprocess.run(["git", "unpack-objects", "-q"], cwd=repository, input=pack, stderr=subprocess.DEVNULL)
        if is_whole(repository):
            yield repository


def is_whole(repository):
    """Gives branches to the commits that nothing continues, and their names to tags; whether the history is whole."""
    objects = output(["git", "cat-file", "--batch-all-objects", "--batch-check=%(objecttype) %(objectname)"], repository)
    by_kind = [line.split() for line in objects.decode().splitlines()]
    commits = {name for kind, name in by_kind if kind == "commit"}
    texts = {name: output(["git", "cat-file", "commit", name], repository) for name in commits}
    parents = {word.decode() for text in texts.values() for word in re.findall(rb"^parent ([0-9a-f]+)$", text, re.M)}
    for number, head in enumerate(sorted(commits - parents)):
        output(["git", "update-ref", f"refs/heads/{'main' if number == 0 else f'head{number}'}", head], repository)
    output(["git", "symbolic-ref", "HEAD", "refs/heads/main"], repository)
    for kind, tag in by_kind:
        if kind == "tag":
            name = re.search(rb"^tag (.*)$", output(["git", "cat-file", "tag", tag], repository), re.M)
            output(["git", "update-ref", f"refs/tags/{name[1].decode()}", tag], repository)
    whole = subprocess.run(["git", "fsck", "--connectivity-only"], cwd=repository, capture_output=True)
    return parents <= commits and len(commits) > 1 and whole.returncode == 0


def digest_of_git(repository, commit, blobs):
    """Path → kind and Git's id of every file, link and executable of a commit; how many submodules it has."""
    files, modules = {}, 0
    for line in output(["git", "ls-tree", "-r", "-z", commit], repository).split(b"\0")[:-1]:
        head, path = line.split(b"\t", 1)
        mode, kind, name = head.decode().split()
        if kind == "commit":
            modules += 1
            continue
        files[path] = ({"120000": "link", "100755": "exec"}.get(mode, "file"), name)
        blobs.add(name)
    return files, modules


def digest_of_export(directory):
    files = {}
    for top, directories, names in os.walk(os.fsencode(directory)):
        for name in names + [name for name in directories if os.path.islink(os.path.join(top, name))]:
            path = os.path.join(top, name)
            if os.path.islink(path):
                kind, content = "link", os.readlink(path)
            else:
                with open(path, "rb") as file:
                    content = file.read()
                kind = "exec" if os.stat(path).st_mode & 0o100 else "file"
            git_id = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
            files[os.path.relpath(path, os.fsencode(directory))] = (kind, git_id)
    return files


def left_out(answer):
    """The names and links that no dataset can have; submodules are not among Git's files to begin with."""
    return {os.fsencode(one["path"]) for one in answer["left_out"] if one["what"] in ("name", "link")}


def versions_of(stem, tree):
    """Git's id of each commit, and the version that it has become."""
    text = output([stem, "log", "--json", "--all"], tree)
    for version in json.loads(text)["data"]["versions"]:
        shown = json.loads(output([stem, "show", "--json", version["version"]], tree))["data"]
        yield shown["provenance"]["sources"][0]["revision"], shown


def compare(o, repository, place):
    tree = place / "tree"
    tree.mkdir(parents=True)
    output([o.stem, "init", "-q", "--dataset", "history"], tree)
    begun = time.monotonic()
    ran = subprocess.run([o.stem, "import", "git", repository, "--json"], cwd=tree, env=ENV, stdout=subprocess.PIPE)
    took = time.monotonic() - begun
    answer = json.loads(ran.stdout)["data"]
    spared, blobs, differ, modules, files = left_out(answer), set(), [], 0, 0
    commits = output(["git", "rev-list", "--branches", "--tags"], repository).decode().split()
    merges = output(["git", "rev-list", "--branches", "--tags", "--merges", "--count"], repository).decode().strip()
    versions = dict(versions_of(o.stem, tree))
    for number, commit in enumerate(commits):
        shown = versions.get(commit)
        if shown is None:
            differ.append(f"{commit}: no version")
            continue
        expected, more = digest_of_git(repository, commit, blobs)
        modules += more > 0
        expected = {path: said for path, said in expected.items() if path not in spared}
        out = place / "out"
        output([o.stem, "export", "-q", shown["version"], out], tree)
        got = digest_of_export(out)
        shutil.rmtree(out)
        files += len(got)
        if got != expected:
            paths = [path for path in {*got, *expected} if got.get(path) != expected.get(path)]
            differ.append(f"{commit}: {sorted(paths)[:5]}")
        differ += told_otherwise(repository, commit, shown, versions)
    check = subprocess.run([o.stem, "fsck", "--read-data", "-q"], cwd=tree, env=ENV, stdout=subprocess.DEVNULL)
    return dict(repository=repository.name, commits=len(commits), merges=int(merges), versions=len(versions),
                files_compared=files, distinct_blobs=len(blobs), commits_with_submodules=modules,
                left_out=len(spared), import_exit=ran.returncode, import_s=round(took, 2), fsck=check.returncode,
                differ=differ)


def told_otherwise(repository, commit, shown, versions):
    """What the version says otherwise than Git: author, time, message, parents."""
    asked = ["git", "log", "-1", "--format=%an%x00%ae%x00%at%x00%P%x00%B", "--encoding=UTF-8", commit]
    name, mail, when, parents, message = output(asked, repository).decode(errors="replace").split("\0", 4)
    seconds = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(int(when)))
    said = [
        ("author", shown["author"], f"{name} <{mail}>"),
        ("time", shown["time"], seconds),
        ("parents", shown["parents"], [versions[parent]["version"] for parent in parents.split()]),
        ("message", shown["message"].strip(), message.strip()),
    ]
    return [f"{commit}: {what} {ours!r}, in Git {theirs!r}" for what, ours, theirs in said if ours != theirs]


def histories(description, scratch, one):
    """Gives each repository of the command line to `one`, with the options and a place, and prints what it tells; the exit code."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("repository", nargs="*", type=Path)
    parser.add_argument("--stem", default="target/release/stem")
    parser.add_argument("--scratch", default=scratch)
    parser.add_argument("--fetch", action="store_true")
    o = parser.parse_args()
    o.stem = os.path.abspath(o.stem)
    place = Path(o.scratch).absolute()
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    repositories = [path.absolute() for path in o.repository] + (list(fetch(place)) if o.fetch else [])
    bad = False
    for number, repository in enumerate(repositories):
        told, wrong = one(o, repository, place / f"case{number}")
        bad |= wrong
        print(json.dumps(told), flush=True)
    shutil.rmtree(place, ignore_errors=True)
    return 1 if bad or not repositories else 0


def compared(o, repository, place):
    told = compare(o, repository, place)
    return told, bool(told["differ"] or told["fsck"] or told["versions"] != told["commits"])


if __name__ == "__main__":
    sys.exit(histories(__doc__, "/tmp/stem-history", compared))
