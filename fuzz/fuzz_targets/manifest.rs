//! Any bytes as a manifest node, as they are and behind the head of a lawful one.
#![no_main]

use libfuzzer_sys::fuzz_target;
use stemmata::format::manifest::Node;

fn read(bytes: Vec<u8>) {
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

fuzz_target!(|data: &[u8]| {
    read(data.to_vec());
    read([&[0xe5, b'N', 1][..], data].concat());
});
