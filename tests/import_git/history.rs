//! Histories that have something of everything.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use crate::bench::{Bench, put};

/// Some 60 commits: merges of two and three, a second root, renames, modes, links, files that
/// become directories, odd names, empty commits, tags.
pub(crate) fn history(bench: &Bench) {
    bench.write("read me.txt", b"first\n");
    bench.write("deep/er/file", b"x");
    bench.write(".gitattributes", b"*.bin filter=lfs\n");
    bench.write("large.bin", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n");
    bench.commit(0, "first");
    bench.git(["tag", "v0"]);
    let lines = |number: usize| -> Vec<u8> {
        (0..4000)
            .flat_map(|line| format!("{} {number}\n", line * (1 + number / 20)).into_bytes())
            .collect()
    };
    for number in 1..=20 {
        bench.write(&format!("many/{:02}/{number}.txt", number % 7), &lines(number));
        bench.write("changing.txt", &lines(number));
        bench.commit(number, &format!("number {number}\n\nwith a body\n"));
    }
    bench.git(["switch", "-q", "-c", "side"]);
    for number in 21..=35 {
        bench.write(&format!("side/{number}"), format!("{number}").as_bytes());
        bench.commit(number, "on the side");
    }
    bench.git(["switch", "-q", "-c", "third", "side~5"]);
    bench.write("third", b"3");
    bench.commit(36, "third");
    bench.git(["switch", "-q", "main"]);
    odd_names(bench);
    bench.git(["merge", "-q", "--no-ff", "-m", "merge of two", "side~3"]);
    bench.git(["merge", "-q", "--no-ff", "-m", "merge of three", "side", "third"]);
    bench.git(["switch", "-q", "--orphan", "other/root"]);
    bench.write("alone", b"");
    bench.commit(50, "a second root");
    bench.git(["switch", "-q", "main"]);
    let root =
        ["merge", "-q", "--allow-unrelated-histories", "-m", "merge of a root", "other/root"];
    bench.git(root);
    bench.git(["tag", "-a", "-m", "the first release\n\nwith words", "v1", "side"]);
    for number in 51..=60 {
        bench.write("changing.txt", &lines(number));
        bench.commit(number, "");
    }
}

pub(crate) fn odd_names(bench: &Bench) {
    let root = bench.git_path();
    bench.write("-rf", b"a name like an option");
    bench.write("with\nnew line", b"1");
    bench.write("ünï/\u{1f680}", b"2");
    put(&root.join(OsStr::from_bytes(b"not \xff utf-8")), b"3");
    std::os::unix::fs::symlink("../many", root.join("deep/link")).unwrap();
    std::os::unix::fs::symlink("nowhere", root.join("dangling")).unwrap();
    bench.commit(37, "odd names and links");
    bench.git(["update-index", "--chmod=+x", "changing.txt"]);
    bench.git(["commit", "-q", "-m", "a mode"]);
    bench.git(["checkout", "-q", "."]);
    bench.git(["mv", "deep/er/file", "deep/moved"]);
    bench.commit(38, "a file moved");
    bench.git(["rm", "-q", "dangling"]);
    bench.write("dangling/now/a directory", b"");
    bench.commit(39, "a link became a directory");
    bench.git(["rm", "-q", "-r", "dangling"]);
    bench.write("dangling", b"and a file again");
    bench.commit(40, "and a file");
    bench.commit(41, "nothing at all");
    bench.git(["rm", "-q", "-r", "ünï"]);
    bench.commit(42, "a directory less");
}
