#!/usr/bin/env python3
"""What the peers' harness does not measure: a million files, a long history, one huge file, a real tree.

  benches/scale.py million|versions|huge|real [--stem target/release/stem] [--scratch DIR] [--from DIR]

Prints one JSON line per measurement: wall seconds, processor seconds, peak RSS in MB of the largest process,
and beside each time what it is to be compared with in the same run. Needs only the standard library.
"""
import argparse
import json
import os
import random
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path

ENV = dict(os.environ, STEM_AUTHOR="b <b@x>")


def run(what, command, cwd, **more):
    os.sync()
    before = time.monotonic()
    process = subprocess.Popen(command, cwd=cwd, env=ENV, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    wall = time.monotonic() - before
    line = dict(what=what, exit=process.returncode, wall_s=round(wall, 3),
                cpu_s=round(usage.ru_utime + usage.ru_stime, 2), rss_mb=usage.ru_maxrss // 1024, **more)
    print(json.dumps(line), flush=True)
    return wall


def size(directory):
    files = [Path(top) / name for top, _, names in os.walk(directory) for name in names]
    return len(files), sum(file.lstat().st_size for file in files)


STAT = r"""
use std::sync::atomic::{AtomicUsize, Ordering};
fn main() {
    let dirs: Vec<_> = std::fs::read_dir(std::env::args().nth(1).unwrap()).unwrap().map(|e| e.unwrap().path())
        .filter(|p| p.is_dir() && !p.ends_with(".stem")).collect();
    let (next, seen) = (AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|s| for _ in 0..std::thread::available_parallelism().unwrap().get() {
        s.spawn(|| while let Some(dir) = dirs.get(next.fetch_add(1, Ordering::Relaxed)) {
            for e in std::fs::read_dir(dir).unwrap() { // the metadata is taken relative to the directory
                if e.unwrap().metadata().unwrap().len() < u64::MAX { seen.fetch_add(1, Ordering::Relaxed); }
            }
        });
    });
    println!("{}", seen.into_inner());
}
"""


def million(o, place):
    """Status of a million unchanged files, beside a bare parallel stat of them."""
    (place / "stat.rs").write_text(STAT)
    subprocess.run(["rustc", "-O", "-o", "stat", "stat.rs"], cwd=place, check=True)
    tree = place / "tree"
    for directory in range(1000):
        (tree / f"d{directory:03}").mkdir(parents=True)
        for number in range(1000):
            (tree / f"d{directory:03}/f{number:03}").write_text(f"{directory} {number}\n")
    run("init", [o.stem, "init", "-q"], tree)
    run("million: add", [o.stem, "add", "-q", "-A"], tree)
    run("million: commit", [o.stem, "commit", "-q", "-m", "a million"], tree)
    time.sleep(1)
    for _ in range(5):
        bare = run("million: bare parallel stat", [place / "stat", tree], place)
        ours = run("million: status", [o.stem, "status", "--porcelain"], tree)
        print(json.dumps(dict(what="million: status / bare stat", ratio=round(ours / bare, 2))))
    before = size(tree / ".stem/store")[1]
    for number in range(10):
        (tree / f"d{number * 77:03}/f500").write_text("changed\n")
    run("million: commit of 10 changes", [o.stem, "commit", "-q", "-a", "-m", "ten"], tree)
    print(json.dumps(dict(what="million: bytes that 10 changes add", bytes=size(tree / ".stem/store")[1] - before)))
    run("million: diff of the two versions", [o.stem, "diff", "HEAD~1", "HEAD"], tree)
    run("million: fsck", [o.stem, "fsck"], tree)


def versions(o, place):
    """Ten thousand versions of a small dataset: the time of a commit, and the files in the store."""
    tree = place / "tree"
    (tree / "data").mkdir(parents=True)
    source = random.Random(7)
    for number in range(100):
        (tree / f"data/{number:02}.txt").write_text("".join(f"{source.random()}\n" for _ in range(50)))
    run("init", [o.stem, "init", "-q"], tree)
    subprocess.run([o.stem, "add", "-q", "-A"], cwd=tree, env=ENV, check=True)
    subprocess.run([o.stem, "commit", "-q", "-m", "first"], cwd=tree, env=ENV, check=True)
    begun, walls = time.monotonic(), []
    for number in range(1, o.count):
        (tree / f"data/{number % 100:02}.txt").write_text(f"{source.random()}\n" * 50)
        before = time.monotonic()
        subprocess.run([o.stem, "commit", "-q", "-a", "-m", f"version {number}"], cwd=tree, env=ENV, check=True)
        walls.append(time.monotonic() - before)
        if number % (o.count // 10) == 0 or number == o.count - 1:
            last = sorted(walls[-o.count // 10:])
            files, stored = size(tree / ".stem/store")
            print(json.dumps(dict(what="versions", number=number, commit_median_s=round(last[len(last) // 2], 4),
                                  commit_p99_s=round(last[len(last) * 99 // 100], 4), files=files, bytes=stored,
                                  total_s=round(time.monotonic() - begun, 1))), flush=True)
    run("versions: log of all", [o.stem, "log", "--oneline"], tree)
    run("versions: status", [o.stem, "status"], tree)
    run("versions: fsck --read-data", [o.stem, "fsck", "--read-data"], tree)


def huge(o, place):
    """One file of 8 GiB, half of it holes, half of it noise: memory must not grow with it."""
    tree = place / "tree"
    tree.mkdir(parents=True)
    with open(tree / "huge.bin", "wb") as file:
        for number in range(128):
            file.seek(number << 26)
            file.write(random.Random(number).randbytes(32 << 20))
        file.truncate(8 << 30)
    run("init", [o.stem, "init", "-q"], tree)
    run("huge: add", [o.stem, "add", "-q", "-A"], tree)
    run("huge: commit", [o.stem, "commit", "-q", "-m", "huge"], tree)
    os.rename(tree / "huge.bin", place / "copy")
    run("huge: restore", [o.stem, "restore", "-q", "huge.bin"], tree)
    run("huge: compare", ["cmp", tree / "huge.bin", place / "copy"], place)
    run("huge: fsck --read-data", [o.stem, "fsck", "--read-data"], tree)


def real(o, place):
    """A real tree: added, committed, checked, exported and compared byte for byte."""
    tree = place / "tree"
    subprocess.run(["cp", "-a", "--no-preserve=ownership", o.source, tree], check=True)
    files, stored = size(tree)
    run("init", [o.stem, "init", "-q"], tree)
    run("real: add", [o.stem, "add", "-q", "-A"], tree, files=files, bytes=stored)
    run("real: commit", [o.stem, "commit", "-q", "-m", "real"], tree)
    run("real: status", [o.stem, "status", "--exit-code"], tree)
    run("real: export", [o.stem, "export", "-q", "HEAD", place / "out"], tree)
    run("real: fsck --read-data", [o.stem, "fsck", "--read-data"], tree)
    run("real: diff -r", ["diff", "-r", "--no-dereference", "-x", ".stem", tree, place / "out"], place)
    print(json.dumps(dict(what="real: store", files=size(tree / ".stem/store")[0], bytes=size(tree / ".stem/store")[1])))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["million", "versions", "huge", "real"])
    parser.add_argument("--stem", default="target/release/stem")
    parser.add_argument("--scratch", default="/tmp/stem-scale")
    parser.add_argument("--from", dest="source", default=os.path.expanduser("~/.cargo/registry/src"))
    parser.add_argument("--count", type=int, default=10_000)
    o = parser.parse_args()
    o.stem = os.path.abspath(o.stem)
    place = Path(o.scratch).absolute()
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    globals()[o.what](o, place)
    shutil.rmtree(place, ignore_errors=True)
    sys.exit(0)
