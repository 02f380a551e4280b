//! How fast files are cut, and manifests built, listed, changed and compared: `cargo bench --bench
//! format [ENTRIES]`. Nodes are kept in memory, so this is the cost of the format alone.

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a report for a person")]

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use stemmata::chunk::{Profile, split};
use stemmata::format::{Error, manifest};
use stemmata::model::{Entry, FileId, FileRef, ManifestId, Mode, RepoPath};

/// Encoded nodes in memory; decodes a node each time it is asked for, as a store does.
#[derive(Default)]
struct Memory {
    nodes: RefCell<HashMap<ManifestId, Vec<u8>>>,
    written: Cell<usize>,
    reads: Cell<usize>,
}

impl Memory {
    fn keep(&self, id: ManifestId, bytes: Vec<u8>) -> Result<(), Error> {
        self.written.set(self.written.get() + bytes.len());
        self.nodes.borrow_mut().insert(id, bytes);
        Ok(())
    }
}

impl manifest::NodeSource for Memory {
    type Error = Error;

    fn node(&self, id: &ManifestId) -> Result<Arc<manifest::Node>, Error> {
        self.reads.set(self.reads.get() + 1);
        Ok(Arc::new(manifest::Node::decode(self.nodes.borrow()[id].clone())?))
    }
}

fn timed<T>(what: &str, nodes: &Memory, action: impl FnOnce() -> T) -> T {
    nodes.written.set(0);
    nodes.reads.set(0);
    let start = Instant::now();
    let result = action();
    let milliseconds = start.elapsed().as_secs_f64() * 1e3;
    let (written, reads) = (nodes.written.get(), nodes.reads.get());
    println!("{what:44} {milliseconds:9.2} ms {reads:7} nodes read {written:10} bytes written");
    result
}

fn file(number: u64) -> FileRef {
    FileRef { mode: Mode::File, size: number % 50_000, file: FileId::of(&number.to_le_bytes()) }
}

fn manifests(count: u64) {
    let mut entries: Vec<Entry> = (0..count)
        .map(|n| {
            let path = format!("train/{:05}/{:08x}-{n:08}.jpeg", n / 1000, n as u32 ^ 0x5bd1);
            Entry { path: RepoPath::new(path).unwrap(), file: file(n) }
        })
        .collect();
    entries.sort_by(|a, b| a.path.cmp(&b.path));
    let nodes = Memory::default();
    let root = timed("build", &nodes, || {
        manifest::build(entries.iter().cloned(), |id, bytes| nodes.keep(id, bytes)).unwrap()
    });
    timed("list, entries borrowed", &nodes, || {
        let mut list = manifest::list(&nodes, &root, b"").unwrap();
        let mut seen = 0;
        while list.next_entry().unwrap().is_some() {
            seen += 1;
        }
        assert_eq!(seen, count);
    });
    timed("list, entries checked and owned", &nodes, || {
        assert_eq!(manifest::list(&nodes, &root, b"").unwrap().count() as u64, count);
    });
    timed("check", &nodes, || manifest::check(&nodes, &root).unwrap());
    let edits: Vec<_> = entries
        .iter()
        .step_by(entries.len() / 10 + 1)
        .map(|entry| (entry.path.clone(), Some(file(u64::MAX))))
        .collect();
    let keep = |id, bytes| nodes.keep(id, bytes);
    let changed =
        timed("change 10", &nodes, || manifest::edit(&nodes, &root, &edits, keep).unwrap());
    timed("compare", &nodes, || {
        assert_eq!(manifest::diff(&nodes, &root, &changed).unwrap().count(), edits.len());
    });
    let added: Vec<_> = entries
        .iter()
        .step_by(100)
        .map(|entry| {
            let path = [entry.path.as_bytes(), b".txt"].concat();
            (RepoPath::new(path).unwrap(), Some(file(1)))
        })
        .collect();
    timed("add 1 %", &nodes, || manifest::edit(&nodes, &root, &added, keep).unwrap());
    timed("find 1 %, in order", &nodes, || {
        let mut finder = manifest::Finder::new(&nodes, root).unwrap();
        for entry in entries.iter().step_by(100) {
            assert!(finder.find(entry.path.as_bytes()).unwrap().is_some());
        }
    });
}

fn noise(length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    blake3::Hasher::new().finalize_xof().fill(&mut bytes);
    bytes
}

fn cutting() {
    let bytes = noise(256 << 20);
    let lines: Vec<u8> =
        bytes.iter().map(|&byte| if byte < 3 { b'\n' } else { b'a' + byte % 26 }).collect();
    for (profile, data) in [(Profile::Bytes, &bytes), (Profile::Lines, &lines)] {
        let start = Instant::now();
        let count = split(data, profile).count();
        let rate = data.len() as f64 / start.elapsed().as_secs_f64() / 1e9;
        println!("cut {profile:?}: {rate:.2} GB/s, {} bytes a chunk", data.len() / count);
    }
}

fn main() {
    let counts: Vec<u64> = std::env::args().filter_map(|word| word.parse().ok()).collect();
    let counts = if counts.is_empty() { vec![100_000, 1_000_000] } else { counts };
    for count in counts {
        println!("{count} entries");
        manifests(count);
    }
    cutting();
}
