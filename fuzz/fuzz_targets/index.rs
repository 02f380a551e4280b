//! Any bytes as the index of a worktree: as they are, and with a header and a hash that agree.
#![no_main]

use std::path::PathBuf;

use libfuzzer_sys::fuzz_target;
use stemmata::model::RepoPath;
use stemmata::worktree::Index;

const HEADER: usize = 120;

fn file() -> PathBuf {
    std::env::temp_dir().join(format!("stem-fuzz-index-{}", std::process::id()))
}

fn read(bytes: &[u8]) {
    let path = file();
    std::fs::write(&path, bytes).expect("a temporary file can be written");
    let Ok(Some(index)) = Index::load(&path) else { return };
    let _ = (index.base(), index.as_of(), index.len());
    for name in ["a", "a/b", "d/e/f", "~"] {
        let _ = index.get(&RepoPath::new(name).expect("a path"));
    }
}

fuzz_target!(|data: &[u8]| {
    read(data);
    let mut bytes = vec![0; HEADER];
    bytes[..12].copy_from_slice(b"STEMWORK\x01\0\0\0");
    let given = data.len().min(24);
    bytes[56..56 + given].copy_from_slice(&data[..given]);
    bytes.extend_from_slice(&data[given..]);
    let mut hasher = blake3::Hasher::new();
    hasher.update(&bytes[..88]).update(&bytes[HEADER..]);
    bytes[88..HEADER].copy_from_slice(hasher.finalize().as_bytes());
    read(&bytes);
});
