//! What must hold of any bytes in the place of each kind of file: nothing panics, nothing is believed
//! that is not so. Run by the fuzzers (`fuzz/run`), and on the inputs of `fixtures/fuzz` by
//! `tests/fuzz_corpus.rs`.

use std::path::PathBuf;
use std::sync::Arc;

use stemmata::format::manifest::Node;
use stemmata::format::recipe::{Items, decode_part, decode_recipe};
use stemmata::format::version;
use stemmata::model::{ChunkId, PackName, RepoPath};
use stemmata::store::medium::doubles::Forgetful;
use stemmata::store::{PackInfo, PackKind, Store};
use stemmata::worktree::Index;

/// Any bytes as a version: what is read is written in the same bytes.
pub(crate) fn check_version(data: &[u8]) {
    if let Ok(read) = version::decode(data) {
        assert_eq!(version::encode(&read).ok().as_deref(), Some(data));
    }
}

/// Any bytes as a manifest node, as they are and behind the head of a lawful one.
pub(crate) fn check_manifest(data: &[u8]) {
    read_node(data.to_vec());
    read_node([&[0xe5, b'N', 1][..], data].concat());
}

fn read_node(bytes: Vec<u8>) {
    let Ok(node) = Node::decode(bytes.clone()) else { return };
    assert_eq!(node.as_bytes(), bytes);
    let (mut entries, mut children, mut seen) = (node.entries(), node.children(), 0);
    while let Some(entry) = entries.next_entry() {
        let _ = entry.to_entry();
        seen += 1;
    }
    while children.next_child().is_some() {
        seen += 1;
    }
    assert_eq!(seen, node.count());
}

/// Any bytes as a recipe, with the hash that a recipe must begin with, and as a part of one.
pub(crate) fn check_recipe(data: &[u8]) {
    let _ = decode_recipe(data);
    let sealed = [blake3::hash(data).as_bytes(), data].concat();
    if let Ok(recipe) = decode_recipe(&sealed) {
        let sum: u64 = match &recipe.items {
            Items::Chunks(chunks) => chunks.iter().map(|chunk| u64::from(chunk.len)).sum(),
            Items::Parts(parts) => parts.iter().map(|part| part.len).sum(),
        };
        assert_eq!(sum, recipe.size);
    }
    let _ = decode_part(data);
    let _ = decode_part(&[&[0xe5, b'P', 1][..], data].concat());
}

/// Length of the head of an index file.
const HEADER: usize = 120;

/// Any bytes as the index of a worktree: as they are, and with a head and a hash that agree.
pub(crate) fn check_index(data: &[u8]) {
    read_index(data);
    let mut bytes = vec![0; HEADER];
    bytes[..12].copy_from_slice(b"STEMWORK\x01\0\0\0");
    let given = data.len().min(24);
    bytes[56..56 + given].copy_from_slice(&data[..given]);
    bytes.extend_from_slice(&data[given..]);
    let mut hasher = blake3::Hasher::new();
    hasher.update(&bytes[..88]).update(&bytes[HEADER..]);
    bytes[88..HEADER].copy_from_slice(hasher.finalize().as_bytes());
    read_index(&bytes);
}

fn index_file() -> PathBuf {
    std::env::temp_dir().join(format!("stem-fuzz-index-{}", std::process::id()))
}

#[allow(clippy::disallowed_methods, reason = "a file for the test")]
fn read_index(bytes: &[u8]) {
    let path = index_file();
    std::fs::write(&path, bytes).expect("a temporary file can be written");
    let Ok(Some(index)) = Index::load(&path) else { return };
    let _ = (index.base(), index.as_of(), index.len());
    for name in ["a", "a/b", "d/e/f", "~"] {
        let _ = index.get(&RepoPath::new(name).expect("a path"));
    }
}

/// Any bytes in the place of a pack: nothing is returned that its id does not name.
pub(crate) fn check_pack(data: &[u8]) {
    let name = PackName::from_bytes([7; 16]);
    let medium = Forgetful::new();
    let mut bytes = data.to_vec();
    if let Some(place) = bytes.get_mut(16..32) {
        place.fill(7);
    }
    let length = bytes.len() as u64;
    let info = PackInfo { name, kind: PackKind::Data, bytes: length, objects: 1, epoch: 0 };
    medium.plant(&format!("packs/{name}"), bytes);
    let store = Store::open(Arc::new(medium), vec![info.clone()]);
    let _ = store.pack_info(name);
    for listed in store.objects(name).unwrap_or_default() {
        if let Ok(found) = store.get(&listed.key) {
            assert!(listed.key.accepts(&found));
        }
    }
    if let Ok(mut scan) = store.scan(name) {
        while let Ok(Some(frame)) = scan.next_frame() {
            if let Some(id) = frame.id {
                assert_eq!(id, *ChunkId::of(frame.bytes).as_bytes());
            }
        }
    }
    if let Ok(mut checker) = store.checker() {
        let _ = checker.check(name);
    }
    let _ = store.merge(&[info], &|_| true, 1, None);
}
