#!/usr/bin/env python3
"""What erasing costs where there is much: a record out of a long history, and a plan over many files.

  benches/erase.py records [--versions 1000] [--mib 1024] [--spread]
  benches/erase.py plan [--versions 10000] [--files 1000000]
  both: [--stem target/release/stem] [--scratch DIR] [--keep]

`records`: 16 shards of JSON lines. Each version replaces 1 % of all bytes, in runs of lines that stand together, as when a
batch is labelled anew: in one shard, or with --spread in all of them. One line of shard 3 is in every version and must go.
Plan, approve, run and verify are measured beside `fsck --read-data` of the same store.

`plan`: a Git history of so many files and versions (20 files are written in each), imported; then plans by path and by key,
beside `fsck` and a plain listing.

Prints one JSON line per measurement: wall seconds, processor seconds, peak RSS in MB, and for what erases the ratio to
`fsck` in the same run. --keep leaves the repository in the scratch directory, and uses the one that is there. Needs only the
standard library, and Git for `plan`.
"""
import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

SHARDS = 16
RUNS = 16
WANTED = "person-7f3a9c5e21"
STEP = 20
ANN, BOB = "Ann Example <ann@example.org>", "Bob Example <bob@example.org>"


class Bench:
    """A place to measure in, and the program."""

    def __init__(self, o):
        self.stem, self.place = os.path.abspath(o.stem), Path(o.scratch).absolute()
        self.tree = self.place / "tree"

    def call(self, arguments, author=ANN, out=subprocess.DEVNULL):
        env = dict(os.environ, HOME=str(self.place), STEM_AUTHOR=author)
        return subprocess.Popen([self.stem, *map(str, arguments)], cwd=self.tree, env=env, stdout=out)

    def do(self, *arguments, author=ANN):
        process = self.call(arguments, author, subprocess.PIPE)
        said = process.communicate()[0]
        if process.returncode:
            sys.exit(f"stem {arguments}: exit {process.returncode}")
        return said.decode()

    def measure(self, what, *arguments, base=None, author=ANN, expected=0):
        """Runs `stem`, prints what it took, and gives its seconds."""
        os.sync()
        with open(self.place / "said", "wb") as out:
            before = time.monotonic()
            process = self.call(arguments, author, out)
            _, status, usage = os.wait4(process.pid, 0)
            wall = time.monotonic() - before
        process.returncode = os.waitstatus_to_exitcode(status)
        line = dict(what=what, exit=process.returncode, wall_s=round(wall, 2),
                    cpu_s=round(usage.ru_utime + usage.ru_stime, 2), rss_mb=usage.ru_maxrss // 1024)
        if base:
            line["of_fsck"] = round(wall / base, 2)
        print(json.dumps(line), flush=True)
        if process.returncode != expected:
            sys.exit(f"stem {arguments}: exit {process.returncode}")
        return wall

    def said(self):
        return json.loads((self.place / "said").read_bytes())["data"]

    def in_child(self, work):
        """In a process of its own, so that its memory is not counted with what is measured later."""
        child = os.fork()
        if child == 0:
            work()
            os._exit(0)
        if os.waitpid(child, 0)[1]:
            sys.exit("the repository could not be made")


class Corpus:
    """Shards of JSON lines; a line is replaced by another one of its length."""

    def __init__(self, tree, mib):
        self.dice, self.tree, self.size = random.Random(11), tree, (mib << 20) // SHARDS
        words = ["".join(self.dice.choices("etaoinshrdlucmfwypvbgk", k=self.dice.randint(2, 10))) for _ in range(4000)]
        weights = [1 / (rank + 3) for rank in range(len(words))]
        self.pool = " ".join(self.dice.choices(words, weights, k=1_500_000)).encode()
        self.lengths = []
        for shard in range(SHARDS):
            lengths, total = [], 0
            while total < self.size:
                lengths.append(self.dice.randint(300, 1500))
                total += lengths[-1]
            with open(self.name(shard), "wb") as file:
                file.writelines(self.line(length) for length in lengths)
            self.lengths.append(lengths)
        self.plant()

    def name(self, shard):
        return self.tree / f"shard-{shard:02}.jsonl"

    def line(self, length, person=None):
        person = person or "person-%010x" % self.dice.getrandbits(36)
        head = b'{"id":"%s","score":%.5f,"lang":"en","text":"' % (person.encode(), self.dice.random())
        rest = length - len(head) - 3
        at = self.dice.randrange(len(self.pool) - rest)
        return head + self.pool[at:at + rest] + b'"}\n'

    def plant(self):
        lengths = self.lengths[3]
        self.wanted = len(lengths) // 3
        with open(self.name(3), "r+b") as file:
            file.seek(sum(lengths[:self.wanted]))
            file.write(self.line(lengths[self.wanted], WANTED))

    def edit(self, shard, amount):
        """Replaces `amount` bytes of a shard, in runs; never the line that is wanted."""
        lengths = self.lengths[shard]
        runs = RUNS if amount >= RUNS << 17 else max(1, amount >> 17)
        starts = sorted(self.dice.sample(range(len(lengths)), runs))
        at = number = 0
        with open(self.name(shard), "r+b") as file:
            for start in starts:
                start = max(start, number)  # a run may reach into the next one
                at += sum(lengths[number:start])
                number, left = start, amount // runs
                file.seek(at)
                while left > 0 and number < len(lengths) and not (shard == 3 and number == self.wanted):
                    file.write(self.line(lengths[number]))
                    left -= lengths[number]
                    at += lengths[number]
                    number += 1


def make_records(o, bench):
    bench.do("init", "-q")
    corpus = Corpus(bench.tree, o.mib)
    bench.do("add", "-q", "-A")
    bench.do("commit", "-q", "-m", "first")
    begun = time.monotonic()
    for number in range(1, o.versions):
        if o.spread:
            for shard in range(SHARDS):
                corpus.edit(shard, corpus.size // 100)
        else:
            corpus.edit(corpus.dice.randrange(SHARDS), corpus.size * SHARDS // 100)
        bench.do("commit", "-q", "-a", "-m", f"version {number}")
    print(json.dumps(dict(what="records: made", versions=o.versions, mib=o.mib, spread=o.spread,
                          s=round(time.monotonic() - begun))), flush=True)


def store_size(bench):
    files = [path for path in (bench.tree / ".stem/store").rglob("*") if path.is_file()]
    print(json.dumps(dict(what="store", files=len(files), bytes=sum(path.stat().st_size for path in files))), flush=True)


def keys(bench):
    """A key of the requester, and the key of an approver."""
    bench.do("key", "generate", author=ANN)
    made = bench.do("key", "generate", "--json", author=BOB)
    approver = json.loads(made)["data"]["key"]["id"]
    bench.do("key", "trust", bench.place / f".config/stem/keys/{approver}.pub", "--role", "approver", author=BOB)
    own = [path.stem for path in (bench.place / ".config/stem/keys").glob("*.pub") if path.stem != approver]
    return own[0], approver


def records(o, bench):
    """One record out of every version."""
    if not (bench.tree / ".stem").exists():
        bench.tree.mkdir(parents=True)
        bench.in_child(lambda: make_records(o, bench))
    store_size(bench)
    own, approver = keys(bench)
    bench.measure("records: fsck --read-data, first time", "fsck", "--read-data")
    fsck = bench.measure("records: fsck --read-data", "fsck", "--read-data")
    total = bench.measure("records: erase plan", "erase", "plan", "--key", f"id={WANTED}", "--reason", "measured",
                          "--approvals", "1", "--json", base=fsck)
    plan = bench.said()
    print(json.dumps(dict(what="records: the plan", files=len(plan["targets"]), versions=len(plan["versions"]),
                          records=plan["records"], bytes=plan["bytes"], chunks=plan["chunks"]["exclusive"])))
    bench.do("erase", "approve", plan["plan"], "--key", approver, author=BOB)
    total += bench.measure("records: erase run", "erase", "run", plan["plan"], "--key", own, "--json", base=fsck)
    print(json.dumps(dict(what="records: erased", **bench.said()["erased"])))
    print(json.dumps(dict(what="records: plan and run / fsck --read-data", ratio=round(total / fsck, 2), target=3)))
    bench.measure("records: erase verify", "erase", "verify", plan["plan"], base=fsck)
    bench.measure("records: fsck --read-data, afterwards", "fsck", "--read-data", base=fsck)
    found = subprocess.run(["grep", "-c", WANTED, *sorted(bench.tree.glob("*.jsonl"))], stdout=subprocess.PIPE)
    print(json.dumps(dict(what="records: still in the worktree", lines=sum(
        int(line.rsplit(b":", 1)[1]) for line in found.stdout.split()))))


def make_plan(o, bench):
    """A Git history, written by fast-import: a thousand directories, and 20 files written in each version."""
    dice = random.Random(5)
    git = bench.place / "git"
    subprocess.run(["git", "init", "-q", "-b", "main", str(git)], check=True)
    process = subprocess.Popen(["git", "fast-import", "--quiet"], cwd=git, stdin=subprocess.PIPE)
    stream = process.stdin

    def entry(number, version):
        text = b'{"id":"p%d","version":%d,"value":%d}\n' % (number, version, dice.getrandbits(40))
        stream.write(b"M 100644 inline d%03d/f%06d.jsonl\ndata %d\n%s\n" % (number % 1000, number, len(text), text))

    for version in range(o.versions):
        stream.write(b"commit refs/heads/main\ncommitter A <a@x> %d +0000\ndata 1\nv\n" % (1_700_000_000 + version))
        for number in range(o.files) if version == 0 else dice.sample(range(o.files), STEP):
            entry(number, version)
    stream.close()
    if process.wait():
        sys.exit("git fast-import failed")


def plan(o, bench):
    """Plans over many files and versions."""
    if not (bench.tree / ".stem").exists():
        bench.tree.mkdir(parents=True)
        bench.do("init", "-q")
        bench.in_child(lambda: make_plan(o, bench))
        bench.measure("plan: import git", "import", "git", bench.place / "git", "-q")
    store_size(bench)
    branch = json.loads(bench.do("branch", "--json"))["data"]["branches"][0]["name"]
    fsck = bench.measure("plan: fsck", "fsck", "-q")
    bench.measure("plan: ls -r of one version", "ls", "-r", branch, base=fsck)
    bench.measure("plan: log of all", "log", "--oneline", branch, base=fsck)
    for what, *how in [("one file", "--path", "d007/f000007.jsonl"), ("a directory", "--path", "d007/*"),
                       ("one record", "--key", "id=p7007")]:
        bench.measure(f"plan: {what}", "erase", "plan", *how, "--reason", "measured", "--json", base=fsck)
        found = bench.said()
        print(json.dumps(dict(what=f"plan: {what}: found", files=len(found["targets"]), versions=len(found["versions"]),
                              bytes=found["bytes"])), flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["records", "plan"])
    parser.add_argument("--stem", default="target/release/stem")
    parser.add_argument("--scratch", default="/tmp/stem-erase")
    parser.add_argument("--versions", type=int)
    parser.add_argument("--files", type=int, default=1_000_000)
    parser.add_argument("--mib", type=int, default=1024)
    parser.add_argument("--spread", action="store_true")
    parser.add_argument("--keep", action="store_true")
    options = parser.parse_args()
    options.versions = options.versions or (1000 if options.what == "records" else 10_000)
    where = Bench(options)
    if not options.keep:
        shutil.rmtree(where.place, ignore_errors=True)
    where.place.mkdir(parents=True, exist_ok=True)
    globals()[options.what](options, where)
    if not options.keep:
        shutil.rmtree(where.place, ignore_errors=True)
