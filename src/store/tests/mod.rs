use std::collections::{BTreeMap, HashMap};
use std::io;
use std::sync::Arc;

use proptest::prelude::*;

use super::medium::doubles::{Flaw, Flawed, Forgetful};
use super::medium::{INDEX, Medium, TMP};
use super::write::{MERGED_OBJECTS, PACK_OBJECTS};
use super::*;
use crate::format::frame::codec::{Encoder, LEVEL};
use crate::format::frame::{self, Codec};
use crate::format::kind::Kind;
use crate::format::pack;
use crate::format::table::Entry;
use crate::model::{ChunkId, ManifestId};

mod crashes;
mod damage;
mod merging;

/// Noise, digits that compress to half, and text that compresses to nothing, about 2 KB each.
fn object(number: u32) -> Vec<u8> {
    let noise = (0..40 + number % 40)
        .map(|n| ChunkId::of(&[number.to_le_bytes(), n.to_le_bytes()].concat()));
    match number % 4 {
        0 => noise.flat_map(|id| *id.as_bytes()).collect(),
        1 => format!("object {number}\n").repeat(50 + number as usize % 200).into_bytes(),
        _ => noise.flat_map(|id| id.to_hex().into_bytes()).collect(),
    }
}

fn chunk(number: u32) -> (Key, Vec<u8>) {
    let bytes = object(number);
    (Key::chunk(&ChunkId::of(&bytes)), bytes)
}

fn node(number: u32) -> (Key, Vec<u8>) {
    let bytes = object(number);
    (Key::node(&ManifestId::of(&bytes)), bytes)
}

fn recipe(number: u32) -> (Key, Vec<u8>) {
    let rest = object(number);
    let bytes = [&ChunkId::of(&rest).as_bytes()[..], &rest].concat();
    (Key::new(Kind::Recipe, *ChunkId::of(b"some file").as_bytes()), bytes)
}

/// Writes chunks and nodes in one session.
fn write(store: &Store, chunks: std::ops::Range<u32>, nodes: u32) -> Result<Vec<PackInfo>, Error> {
    let session = store.session(7)?;
    let mut data = session.packer(PackKind::Data)?;
    let mut meta = session.packer(PackKind::Meta)?;
    for number in chunks {
        let (key, bytes) = chunk(number);
        data.put(&key, &bytes)?;
    }
    for number in 0..nodes {
        let (key, bytes) = node(number);
        meta.put(&key, &bytes)?;
    }
    let (key, bytes) = recipe(0);
    meta.put(&key, &bytes)?;
    data.finish()?;
    meta.finish()?;
    session.finish()
}

fn small_store(medium: Arc<dyn Medium>, live: Vec<PackInfo>) -> Store {
    Store::with_pack_bytes(medium, live, 8 << 10)
}

fn written(chunks: u32, nodes: u32) -> (Forgetful, Store) {
    let medium = Forgetful::new();
    let store = small_store(Arc::new(medium.clone()), Vec::new());
    let packs = write(&store, 0..chunks, nodes).unwrap();
    store.set_live(packs);
    (medium, store)
}

fn assert_holds(store: &Store, chunks: std::ops::Range<u32>, nodes: u32) {
    let mut reader = store.reader().unwrap();
    let all = chunks.map(chunk).chain((0..nodes).map(node)).chain([recipe(0)]);
    for (number, (key, bytes)) in all.enumerate() {
        let hint = (number % 2 == 0).then_some(bytes.len() as u32);
        assert_eq!(reader.fetch(&key, hint).unwrap(), bytes);
        assert_eq!(store.get(&key).unwrap(), bytes);
        assert!(store.contains(&key).unwrap());
    }
}

fn assert_sound(store: &Store) {
    let mut checker = store.checker().unwrap();
    for pack in store.list_packs().unwrap().packs {
        let check = checker.check(pack).unwrap();
        assert!(check.findings.is_empty(), "{pack}: {:?}", check.findings);
        assert_eq!(check.objects, u64::from(check.info.unwrap().objects));
    }
}

#[test]
fn what_was_written_is_read_back_and_is_in_its_kind_of_pack() {
    let (medium, store) = written(100, 30);
    assert_holds(&store, 0..100, 30);
    assert_sound(&store);
    assert!(store.packs().len() > 10);
    assert!(medium.list(TMP).unwrap().is_empty());
    for pack in store.packs() {
        assert_eq!(store.pack_info(pack.name).unwrap(), pack);
        for listed in store.objects(pack.name).unwrap() {
            assert_eq!(PackKind::of(listed.key.kind), pack.kind);
        }
    }
    let absent = chunk(100).0;
    assert!(matches!(store.get(&absent), Err(Error::NotFound { .. })));
    assert!(!store.contains(&absent).unwrap());
    let wrong_kind = Key { kind: Kind::Node, ..chunk(50).0 };
    assert!(!store.contains(&wrong_kind).unwrap());
}

#[test]
fn nothing_is_written_twice() {
    let (_, store) = written(50, 0);
    let packs = store.packs();
    let more = write(&store, 25..60, 0).unwrap();
    assert_eq!(more.iter().map(|pack| pack.objects).sum::<u32>(), 10);
    store.set_live(packs.into_iter().chain(more).collect());
    assert_holds(&store, 0..60, 0);
    assert!(write(&store, 0..60, 0).unwrap().is_empty());
}

#[test]
fn threads_of_one_session_write_each_object_once() {
    let store = small_store(Arc::new(Forgetful::new()), Vec::new());
    let session = store.session(1).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut packer = session.packer(PackKind::Data).unwrap();
                for (key, bytes) in (0..200).map(chunk) {
                    packer.put(&key, &bytes).unwrap();
                }
                packer.finish().unwrap();
            });
        }
    });
    let packs = session.finish().unwrap();
    assert_eq!(packs.iter().map(|pack| pack.objects).sum::<u32>(), 200);
}

#[test]
fn condemned_and_vanished_packs_are_not_built_upon() {
    let (_, store) = written(30, 0);
    let packs = store.packs();
    store.set_packs(Vec::new(), packs.clone());
    assert_holds(&store, 0..30, 0);
    let again = write(&store, 0..30, 0).unwrap();
    assert_eq!(again.iter().map(|pack| pack.objects).sum::<u32>(), 31);
    store.set_live(packs.clone());
    for pack in &packs {
        store.remove_pack(pack.name).unwrap();
        store.remove_pack(pack.name).unwrap();
    }
    assert!(matches!(store.get(&chunk(3).0), Err(Error::Missing { .. })));
    let again = write(&store, 0..30, 0).unwrap();
    assert_eq!(again.iter().map(|pack| pack.objects).sum::<u32>(), 31);
}

#[test]
fn very_many_small_objects_fill_several_packs_that_merge_into_fewer() {
    let store = Store::open(Arc::new(Forgetful::new()), Vec::new());
    let session = store.session(1).unwrap();
    let mut packer = session.packer(PackKind::Data).unwrap();
    for number in 0..=MERGED_OBJECTS as u32 {
        let bytes = number.to_le_bytes();
        packer.put(&Key::chunk(&ChunkId::of(&bytes)), &bytes).unwrap();
    }
    packer.finish().unwrap();
    let packs = session.finish().unwrap();
    let mut objects: Vec<_> = packs.iter().map(|pack| pack.objects as usize).collect();
    objects.sort_unstable();
    assert_eq!(objects, [1, PACK_OBJECTS, PACK_OBJECTS, PACK_OBJECTS, PACK_OBJECTS]);
    store.set_live(packs.clone());
    let measured = store.measure_merge(&packs, &|_| true).unwrap();
    let mut merged = store.merge(&packs, &|_| true, 2, None).unwrap();
    merged.sort_unstable_by_key(|pack| pack.objects);
    let objects: Vec<_> = merged.iter().map(|pack| pack.objects as usize).collect();
    assert_eq!(objects, [1, MERGED_OBJECTS]);
    assert_eq!(measured.packs, 2);
    assert_eq!(measured.bytes, merged.iter().map(|pack| pack.bytes).sum::<u64>());
    // A pack that is half full is left alone, however short it is.
    let half = |name| PackInfo { name, objects: MERGED_OBJECTS as u32 / 2, ..merged[0].clone() };
    let many: Vec<_> = (0..20).map(|_| half(PackName::random().unwrap())).collect();
    assert!(merge_candidates(&many).is_empty());
}

#[test]
fn asking_whether_an_object_is_known_does_not_make_it_so() {
    let store = small_store(Arc::new(Forgetful::new()), Vec::new());
    let session = store.session(1).unwrap();
    let mut packer = session.packer(PackKind::Data).unwrap();
    let (key, bytes) = chunk(1);
    assert!(!packer.knows(&key) && !packer.knows(&key));
    assert!(matches!(packer.put(&key, &bytes).unwrap(), Put::New { .. }));
    assert!(packer.knows(&key));
    packer.finish().unwrap();
    assert_eq!(session.finish().unwrap().len(), 1);
}

#[test]
fn a_session_that_is_dropped_leaves_nothing() {
    let medium = Forgetful::new();
    let store = small_store(Arc::new(medium.clone()), Vec::new());
    let session = store.session(3).unwrap();
    let mut packer = session.packer(PackKind::Data).unwrap();
    for (key, bytes) in (0..100).map(chunk) {
        packer.put(&key, &bytes).unwrap();
    }
    assert!(medium.list(TMP).unwrap().iter().all(|name| name.starts_with("3-")));
    drop(packer);
    assert!(matches!(session.finish(), Err(Error::Poisoned)));
    assert!(medium.list(TMP).unwrap().is_empty());
    assert!(store.list_packs().unwrap().packs.is_empty());
}

#[test]
fn full_packs_can_be_sealed_while_the_session_goes_on() {
    let store = small_store(Arc::new(Forgetful::new()), Vec::new());
    let session = store.session(3).unwrap();
    let mut packer = session.packer(PackKind::Data).unwrap();
    let mut packs = Vec::new();
    for (key, bytes) in (0..100).map(chunk) {
        packer.put(&key, &bytes).unwrap();
        packs.extend(session.seal_full().unwrap());
    }
    assert!(packs.len() > 5);
    packer.finish().unwrap();
    packs.extend(session.finish().unwrap());
    assert_eq!(packs.iter().map(|pack| pack.objects).sum::<u32>(), 100);
    assert_sound(&store);
}

#[test]
fn an_object_in_the_wrong_kind_of_pack_is_refused() {
    let store = small_store(Arc::new(Forgetful::new()), Vec::new());
    let session = store.session(3).unwrap();
    let (key, bytes) = node(1);
    let result = session.packer(PackKind::Data).unwrap().put(&key, &bytes);
    assert!(matches!(result, Err(Error::Misplaced { .. })));
}

#[test]
fn temporary_files_are_listed_with_their_epoch_and_removed() {
    let medium = Forgetful::new();
    medium.plant("tmp/12-abc", vec![1]);
    medium.plant("tmp/what", vec![1]);
    let store = Store::open(Arc::new(medium), Vec::new());
    let found: BTreeMap<_, _> = store.list_tmp().unwrap().into_iter().collect();
    assert_eq!(found, BTreeMap::from([(12, "12-abc".into()), (0, "what".into())]));
    store.remove_tmp("12-abc").unwrap();
    assert_eq!(store.list_tmp().unwrap().len(), 1);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// A store is a map: whatever is written, in whatever sessions, merged and indexed in between.
    #[test]
    fn a_store_is_a_map_that_forgets_nothing(steps in proptest::collection::vec((0u32..60, 1u32..20, 0u8..4), 1..12)) {
        let medium: Arc<dyn Medium> = Arc::new(Forgetful::new());
        let store = small_store(Arc::clone(&medium), Vec::new());
        let mut model = HashMap::new();
        for (epoch, (first, count, then)) in steps.into_iter().enumerate() {
            let mut live = store.packs();
            live.extend(write(&store, first..first + count, 1).unwrap());
            model.extend((first..first + count).map(chunk));
            match then {
                0 => {
                    let (some, rest) = live.split_at(live.len() / 2);
                    let merged = store.merge(some, &|_| true, epoch as u64, None).unwrap();
                    some.iter().for_each(|pack| store.remove_pack(pack.name).unwrap());
                    live = merged.into_iter().chain(rest.iter().cloned()).collect();
                    store.set_live(live);
                }
                1 => {
                    store.set_live(live);
                    store.maintain_index(0).unwrap();
                }
                2 => store.set_live(live),
                _ => {
                    live.reverse();
                    store.set_live(live);
                }
            }
        }
        for number in 0..100 {
            let (key, _) = chunk(number);
            prop_assert_eq!(store.get(&key).ok(), model.get(&key).cloned());
        }
        prop_assert_eq!(store.packs().len(), store.list_packs().unwrap().packs.len());
    }
}
