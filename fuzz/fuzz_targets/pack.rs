//! Bytes of any kind in the place of a pack: nothing panics, and nothing is returned that its id
//! does not name.
#![no_main]

use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use stemmata::model::{ChunkId, PackName};
use stemmata::store::medium::doubles::Forgetful;
use stemmata::store::{PackInfo, PackKind, Store};

fuzz_target!(|data: &[u8]| {
    let name = PackName::from_bytes([7; 16]);
    let medium = Forgetful::new();
    let mut bytes = data.to_vec();
    if let Some(place) = bytes.get_mut(16..32) {
        place.fill(7);
    }
    let info = PackInfo {
        name,
        kind: PackKind::Data,
        bytes: bytes.len() as u64,
        objects: 1,
        epoch: 0,
    };
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
});
