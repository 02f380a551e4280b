use std::collections::{BTreeMap, HashMap};
use std::io;
use std::sync::Arc;

use proptest::prelude::*;

use super::medium::doubles::{Flaw, Flawed, Forgetful};
use super::medium::{INDEX, Medium, TMP};
use super::write::PACK_OBJECTS;
use super::*;
use crate::format::frame::codec::{Encoder, LEVEL};
use crate::format::frame::{self, Codec};
use crate::format::kind::Kind;
use crate::format::pack;
use crate::format::table::Entry;
use crate::model::{ChunkId, ManifestId};

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
fn very_many_small_objects_fill_several_packs_that_merge_into_one() {
    let store = Store::open(Arc::new(Forgetful::new()), Vec::new());
    let session = store.session(1).unwrap();
    let mut packer = session.packer(PackKind::Data).unwrap();
    for number in 0..=PACK_OBJECTS as u32 {
        let bytes = number.to_le_bytes();
        packer.put(&Key::chunk(&ChunkId::of(&bytes)), &bytes).unwrap();
    }
    packer.finish().unwrap();
    let packs = session.finish().unwrap();
    let mut objects: Vec<_> = packs.iter().map(|pack| pack.objects as usize).collect();
    objects.sort_unstable();
    assert_eq!(objects, [1, PACK_OBJECTS]);
    let merged = store.merge(&packs, &|_| true, 2, None).unwrap();
    assert_eq!(merged.len(), 1);
    assert_eq!(merged[0].objects as usize, PACK_OBJECTS + 1);
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

/// Invariant 1 and 4 of the design, at the store: after a crash at any moment whatever has a pack's
/// name is whole, and what `finish` reported is there. Returns what is wrong.
fn after_crash(medium: &Forgetful, reported: &[PackInfo], seed: u64) -> Option<String> {
    let left = medium.crash(seed);
    let store = small_store(Arc::new(left), reported.to_vec());
    let named = store.list_packs().unwrap().packs;
    let mut checker = store.checker().unwrap();
    for pack in &named {
        match checker.check(*pack) {
            Ok(check) if check.findings.is_empty() => {}
            other => return Some(format!("{pack} is not whole: {other:?}")),
        }
    }
    let lost = reported.iter().find(|pack| !named.contains(&pack.name))?;
    Some(format!("{} was reported and is lost", lost.name))
}

/// Writes with the power failing after every number of changes, and a flaw.
fn try_every_crash(flaw: Flaw) -> Result<u64, String> {
    for calls in 0.. {
        let forgetful = Forgetful::stopping_after(calls);
        let flawed = Flawed::new(Arc::new(forgetful.clone()), flaw);
        let store = small_store(Arc::new(flawed), Vec::new());
        let result = write(&store, 0..20, 5);
        let reported = result.as_deref().unwrap_or_default();
        for seed in 0..12 {
            if let Some(wrong) = after_crash(&forgetful, reported, seed) {
                return Err(wrong);
            }
        }
        if result.is_ok() {
            return Ok(calls);
        }
    }
    unreachable!("the loop ends when everything was written")
}

#[test]
fn after_a_crash_at_any_moment_what_has_a_name_is_whole_and_what_was_reported_is_there() {
    assert!(try_every_crash(Flaw::None).unwrap() > 20);
}

#[test]
fn a_pack_that_is_not_synced_is_caught() {
    assert!(try_every_crash(Flaw::SkipsFileSync).unwrap_err().contains("not whole"));
}

#[test]
fn a_directory_that_is_not_synced_is_caught() {
    assert!(try_every_crash(Flaw::SkipsDirSync).unwrap_err().contains("lost"));
}

#[test]
fn an_error_of_the_medium_at_any_call_ends_the_session() {
    for kind in [io::ErrorKind::StorageFull, io::ErrorKind::Other] {
        for number in 0.. {
            let forgetful = Forgetful::new();
            let flaw = Flaw::FailsAt(number, kind);
            let flawed = Arc::new(Flawed::new(Arc::new(forgetful.clone()), flaw));
            let store = small_store(Arc::clone(&flawed) as Arc<dyn Medium>, Vec::new());
            let result = write(&store, 0..20, 5);
            if !flawed.has_failed() {
                assert!(number > 20);
                assert_eq!(result.unwrap().iter().map(|pack| pack.objects).sum::<u32>(), 26);
                break;
            }
            assert!(result.is_err(), "call {number}");
            assert!(forgetful.list(TMP).unwrap().is_empty(), "call {number}");
            assert!(after_crash(&forgetful, &[], 1).is_none());
        }
    }
}

#[test]
fn a_pack_that_a_lying_medium_keeps_is_noticed() {
    let (medium, store) = written(5, 0);
    let packs = store.packs();
    let liar = Flawed::new(Arc::new(medium), Flaw::KeepsRemoved);
    let store = small_store(Arc::new(liar), packs.clone());
    let result = store.remove_pack(packs[0].name);
    assert!(matches!(result, Err(Error::StillPresent { .. })));
}

#[test]
fn merging_keeps_exactly_what_is_asked_for_and_leaves_the_old_packs() {
    let (_, store) = written(100, 30);
    let old = store.packs();
    for level in [None, Some(3)] {
        let wanted: Vec<Key> = (0..50).map(|number| chunk(number * 2).0).collect();
        let new =
            store.merge(&old, &|key| wanted.contains(key) || key.kind == Kind::Node, 9, level);
        let new = new.unwrap();
        assert!(new.iter().all(|pack| pack.epoch == 9));
        assert_eq!(new.iter().map(|pack| pack.objects).sum::<u32>(), 80);
        store.set_live(new);
        for number in 0..100 {
            let (key, bytes) = chunk(number);
            assert_eq!(store.get(&key).ok(), (number % 2 == 0).then_some(bytes), "{number}");
        }
        store.set_live(old.clone());
        assert_holds(&store, 0..100, 30);
    }
    assert_sound(&store);
}

#[test]
fn merging_stops_at_damage() {
    let (medium, store) = written(100, 0);
    let pack = store.packs()[0].clone();
    let mut bytes = medium.content(&pack_file(pack.name)).unwrap();
    bytes[100] ^= 1;
    medium.plant(&pack_file(pack.name), bytes);
    let result = store.merge(&store.packs(), &|_| true, 9, None);
    assert!(matches!(result, Err(Error::Damaged { pack: bad, .. }) if bad == pack.name));
    assert!(medium.list(TMP).unwrap().is_empty());
}

#[test]
fn eight_small_packs_of_a_size_and_kind_are_merged() {
    let info = |bytes, kind, epoch| PackInfo {
        name: PackName::random().unwrap(),
        kind,
        bytes,
        objects: 1,
        epoch,
    };
    let mut live: Vec<_> = (0..7).map(|epoch| info(1000, PackKind::Data, epoch)).collect();
    live.extend((0..9).map(|epoch| info(1000, PackKind::Meta, epoch)));
    live.extend((0..9).map(|epoch| info(300 << 10, PackKind::Data, epoch)));
    live.extend((0..9).map(|epoch| info(60 << 20, PackKind::Data, epoch)));
    let groups = merge_candidates(&live);
    assert_eq!(groups.len(), 2);
    for group in groups {
        assert_eq!(group.len(), 8);
        assert!(
            group.iter().all(|pack| pack.kind == group[0].kind && pack.bytes == group[0].bytes)
        );
    }
}

#[test]
fn after_many_commits_few_small_packs_are_left_and_bytes_were_copied_few_times() {
    let mut live: Vec<PackInfo> = Vec::new();
    let mut copied = 0;
    let make = |bytes, epoch| PackInfo {
        name: PackName::random().unwrap(),
        kind: PackKind::Data,
        bytes,
        objects: 1,
        epoch,
    };
    for epoch in 0..4000 {
        live.push(make(100 << 10, epoch));
        for group in merge_candidates(&live) {
            let bytes = group.iter().map(|pack| pack.bytes).sum::<u64>();
            copied += bytes;
            live.retain(|pack| !group.contains(pack));
            live.push(make(bytes, epoch));
        }
    }
    assert!(live.iter().filter(|pack| pack.bytes < PACK_BYTES / 2).count() < 32, "{}", live.len());
    assert!(copied <= 4 * 4000 * (100 << 10));
}

/// Every way of looking up agrees, whichever tables over many packs there are.
#[test]
fn lookups_are_right_with_and_without_tables_over_many_packs() {
    let (medium, store) = written(400, 60);
    let packs = store.packs();
    assert!(packs.len() > 40);
    assert!(store.maintain_index(7).unwrap());
    assert!(!store.maintain_index(7).unwrap());
    assert_eq!(medium.list(INDEX).unwrap().len(), 1);
    assert!(medium.list(TMP).unwrap().is_empty());
    assert_holds(&store, 0..400, 60);
    assert!(write(&store, 0..400, 60).unwrap().is_empty());
    assert!(!store.contains(&chunk(1000).0).unwrap());

    // Packs that are no longer live don't count, though the table lists them.
    let fewer: Vec<_> = packs.iter().skip(10).cloned().collect();
    store.set_live(fewer);
    let gone = packs.iter().take(10).flat_map(|pack| store.objects(pack.name).unwrap());
    for listed in gone {
        assert!(!store.contains(&listed.key).unwrap());
    }
    // More packs come, and the tables are made into one.
    store.set_live(packs.clone());
    let more = write(&store, 400..800, 60).unwrap();
    let all: Vec<_> = packs.into_iter().chain(more).collect();
    store.set_live(all.clone());
    assert_holds(&store, 0..800, 60);
    assert!(store.maintain_index(7).unwrap());
    assert_holds(&store, 0..800, 60);
    assert_eq!(medium.list(INDEX).unwrap().len(), 1);

    // Damage to the table, byte by byte, changes no answer.
    let name = format!("{INDEX}/{}", medium.list(INDEX).unwrap()[0]);
    let sound = medium.content(&name).unwrap();
    for at in (0..200).chain((200..sound.len()).step_by(997)) {
        let mut bytes = sound.clone();
        bytes[at] ^= 0x10;
        medium.plant(&name, bytes);
        let store = small_store(Arc::new(medium.clone()), all.clone());
        assert_eq!(store.get(&chunk(at as u32 % 800).0).unwrap(), object(at as u32 % 800));
        assert!(!store.contains(&chunk(1000 + at as u32).0).unwrap());
    }
    for len in (0..sound.len()).step_by(1009) {
        medium.plant(&name, sound[..len].to_vec());
        let store = small_store(Arc::new(medium.clone()), all.clone());
        assert_eq!(store.get(&chunk(5).0).unwrap(), object(5));
    }
}

#[test]
fn an_entry_of_a_table_over_many_packs_that_points_elsewhere_is_seen_through() {
    let (medium, store) = written(400, 0);
    store.maintain_index(7).unwrap();
    let name = format!("{INDEX}/{}", medium.list(INDEX).unwrap()[0]);
    let mut bytes = medium.content(&name).unwrap();
    let rows_at =
        bytes.len() - store.packs().iter().map(|pack| pack.objects as usize * 40).sum::<usize>();
    for row in bytes[rows_at..].chunks_mut(40) {
        row[36] ^= 0x40; // another offset
        row[32] ^= 1; // another pack
    }
    medium.plant(&name, bytes);
    let store = small_store(Arc::new(medium.clone()), store.packs());
    for number in 0..400 {
        let (key, bytes) = chunk(number);
        assert_eq!(store.get(&key).unwrap(), bytes);
    }
    store.remove_index().unwrap();
    assert!(medium.list(INDEX).unwrap().is_empty());
    assert_holds(&store, 0..400, 0);
}

/// A pack of five chunks on a medium of its own.
fn one_pack() -> (Forgetful, PackInfo, Vec<u8>) {
    let medium = Forgetful::new();
    let store = Store::open(Arc::new(medium.clone()), Vec::new());
    let session = store.session(7).unwrap();
    let mut packer = session.packer(PackKind::Data).unwrap();
    for (key, bytes) in (0..5).map(chunk).chain([(Key::chunk(&ChunkId::of(b"")), Vec::new())]) {
        packer.put(&key, &bytes).unwrap();
    }
    packer.finish().unwrap();
    let info = session.finish().unwrap().remove(0);
    let bytes = medium.content(&pack_file(info.name)).unwrap();
    (medium, info, bytes)
}

/// Whatever the pack is: reading never returns wrong bytes and never panics, and the check tells
/// whether anything is wrong.
fn try_pack(info: &PackInfo, bytes: Vec<u8>) -> bool {
    let medium = Forgetful::new();
    medium.plant(&pack_file(info.name), bytes);
    let store = Store::open(Arc::new(medium), vec![info.clone()]);
    for (key, expected) in (0..5).map(chunk) {
        if let Ok(found) = store.get(&key) {
            assert_eq!(found, expected);
        }
    }
    if let Ok(mut scan) = store.scan(info.name) {
        for _ in 0..100 {
            match scan.next_frame() {
                Ok(Some(frame)) => {
                    assert_eq!(frame.id.unwrap(), *ChunkId::of(frame.bytes).as_bytes());
                }
                Ok(None) => break,
                Err(_) => {}
            }
        }
    }
    let _ = store.objects(info.name);
    let _ = store.merge(std::slice::from_ref(info), &|_| true, 1, None);
    let check = store.checker().unwrap().check(info.name).unwrap();
    check.findings.is_empty() && check.info.as_ref() == Some(info)
}

#[test]
fn a_bit_flipped_anywhere_in_a_pack_is_found() {
    let (_, info, bytes) = one_pack();
    assert!(try_pack(&info, bytes.clone()));
    let mut harmless = 0;
    for at in 0..bytes.len() {
        let mut bytes = bytes.clone();
        bytes[at] ^= 1 << (at % 8);
        // In a compressed frame there are bits that change nothing in what comes out; `try_pack`
        // has looked at that.
        harmless += usize::from(try_pack(&info, bytes));
    }
    assert!(harmless < 10, "{harmless}");
}

#[test]
fn a_pack_that_is_cut_or_goes_on_is_found() {
    let (_, info, bytes) = one_pack();
    for len in 0..bytes.len() {
        assert!(!try_pack(&info, bytes[..len].to_vec()), "{len}");
    }
    for garbage in [1, 52, 4096] {
        assert!(!try_pack(&info, [&bytes[..], &vec![0; garbage]].concat()));
        let tail = bytes[bytes.len() - garbage.min(bytes.len())..].to_vec();
        assert!(!try_pack(&info, [&bytes[..], &tail].concat()));
    }
}

#[test]
fn a_sound_pack_under_another_name_is_refused() {
    let (_, info, bytes) = one_pack();
    let other = PackInfo { name: PackName::random().unwrap(), ..info };
    assert!(!try_pack(&other, bytes));
}

/// A pack with sound seals whose frames and entries are as an attacker likes them.
fn crafted(
    info: &PackInfo,
    frames: &[u8],
    entries: &mut [Entry],
    kind: PackKind,
) -> (PackInfo, Vec<u8>) {
    let header = pack::Header { kind, name: info.name, epoch: info.epoch }.encode();
    let mut bytes = [&header[..], frames].concat();
    let end = pack::encode_end(&header, entries, bytes.len() as u64);
    bytes.extend_from_slice(&end);
    let info =
        PackInfo { kind, bytes: bytes.len() as u64, objects: entries.len() as u32, ..info.clone() };
    (info, bytes)
}

/// One sound frame of chunk 1, and its entry.
fn one_frame() -> (frame::Header, Vec<u8>, Entry) {
    let (key, object) = chunk(1);
    let mut frame = Vec::new();
    let header = Encoder::new(LEVEL).unwrap().frame(Kind::Chunk, &object, &mut frame).unwrap();
    assert_eq!(header.codec, Codec::Zstd);
    (header, frame, Entry { key, offset: 64 })
}

#[test]
fn tables_crafted_with_sound_seals_are_found() {
    let (_, info, _) = one_pack();
    let (_, frame, entry) = one_frame();
    let try_crafted = |frames: &[u8], mut entries: Vec<Entry>, kind| {
        let (info, bytes) = crafted(&info, frames, &mut entries, kind);
        try_pack(&info, bytes)
    };
    assert!(try_crafted(&frame, vec![entry], PackKind::Data));
    let at = |offset| Entry { key: chunk(2).0, offset };
    for (what, entries) in [
        ("two entries for one frame", vec![entry, at(64)]),
        ("an entry behind the frames", vec![entry, at(64 + frame.len() as u32)]),
        ("an entry far behind the pack", vec![entry, at((1 << 28) - 1)]),
        ("an entry in the header", vec![entry, at(0)]),
        ("overlapping frames", vec![entry, at(65)]),
        ("no entry", vec![]),
        ("the same id with other bytes", vec![at(64)]),
        ("two equal entries", vec![entry, entry]),
    ] {
        assert!(!try_crafted(&frame, entries, PackKind::Data), "{what}");
    }
    assert!(
        !try_crafted(&frame.repeat(2), vec![entry], PackKind::Data),
        "a frame without an entry"
    );
    assert!(!try_crafted(&frame, vec![entry], PackKind::Meta), "chunks in a meta pack");
}

#[test]
fn frames_crafted_with_sound_seals_are_found() {
    let (_, info, _) = one_pack();
    let (header, frame, entry) = one_frame();
    for (what, header) in [
        ("a shorter length", frame::Header { raw_len: header.raw_len - 1, ..header }),
        ("a longer length", frame::Header { raw_len: header.raw_len + 1, ..header }),
        ("length 0", frame::Header { raw_len: 0, ..header }),
        ("length 2^32-1", frame::Header { raw_len: u32::MAX, ..header }),
        ("stored length 2^32-1", frame::Header { stored_len: u32::MAX, ..header }),
        ("stored length 0", frame::Header { stored_len: 0, ..header }),
        ("another kind", frame::Header { kind: Kind::Node, ..header }),
        ("another codec", frame::Header { codec: Codec::Stored, ..header }),
    ] {
        let frame = [&header.encode()[..], &frame[9..]].concat();
        let (info, bytes) = crafted(&info, &frame, &mut [entry], PackKind::Data);
        assert!(!try_pack(&info, bytes), "{what}");
    }
}

#[test]
fn a_frame_that_unpacks_to_more_than_declared_is_found() {
    let (_, info, _) = one_pack();
    let mut bomb = Vec::new();
    let zeros = vec![0; frame::MAX_RAW_LEN];
    let header = Encoder::new(LEVEL).unwrap().frame(Kind::Chunk, &zeros, &mut bomb).unwrap();
    let small = frame::Header { raw_len: header.stored_len + 1, ..header };
    bomb[..9].copy_from_slice(&small.encode());
    let entry = Entry { key: chunk(1).0, offset: 64 };
    let (info, bytes) = crafted(&info, &bomb, &mut [entry], PackKind::Data);
    assert!(!try_pack(&info, bytes));
}

#[test]
fn an_unsorted_table_is_found() {
    let (_, info, bytes) = one_pack();
    let table_at = bytes.len() - 52 - 6 * 36;
    let header = bytes[..64].first_chunk().unwrap();
    let mut table = bytes[table_at..bytes.len() - 52].to_vec();
    table.rotate_left(36);
    let end = pack::encode_end(header, &mut [], table_at as u64);
    // The seal is made over the rotated table by hand.
    let sealed =
        [&header[..], &table, &(table_at as u64).to_le_bytes(), &6u32.to_le_bytes()].concat();
    let mut trailer = end;
    trailer[8..12].copy_from_slice(&6u32.to_le_bytes());
    trailer[12..44].copy_from_slice(ChunkId::of(&sealed).as_bytes());
    let bytes = [&bytes[..table_at], &table, &trailer].concat();
    assert!(!try_pack(&info, bytes));
}

#[test]
fn a_damaged_object_is_read_from_another_pack_that_has_it() {
    let (medium, info, bytes) = one_pack();
    let store = Store::open(Arc::new(medium.clone()), Vec::new());
    let copy = store.merge(std::slice::from_ref(&info), &|_| true, 8, None).unwrap();
    for at in (64..bytes.len()).step_by(13) {
        let mut bytes = bytes.clone();
        bytes[at] ^= 4;
        medium.plant(&pack_file(info.name), bytes);
        for live in [vec![info.clone(), copy[0].clone()], vec![copy[0].clone(), info.clone()]] {
            let store = Store::open(Arc::new(medium.clone()), live);
            for (key, bytes) in (0..5).map(chunk) {
                assert_eq!(store.get(&key).unwrap(), bytes);
            }
        }
    }
}

#[cfg(unix)]
#[test]
fn links_and_fifos_in_the_place_of_packs_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let medium = Arc::new(Disk::create(directory.path()).unwrap());
    let store = Store::open(Arc::clone(&medium) as Arc<dyn Medium>, Vec::new());
    let packs = write(&store, 0..5, 0).unwrap();
    store.set_live(packs.clone());
    assert_eq!(store.get(&chunk(1).0).unwrap(), object(1));
    let data = packs.iter().find(|pack| pack.kind == PackKind::Data).unwrap();
    let path = directory.path().join(pack_file(data.name));
    std::fs::rename(&path, directory.path().join("aside")).unwrap();
    std::os::unix::fs::symlink("../aside", &path).unwrap();
    let store = Store::open(medium, packs.clone());
    assert!(matches!(store.get(&chunk(1).0), Err(Error::Io { .. })));
    std::fs::remove_file(&path).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
    assert!(matches!(store.get(&chunk(1).0), Err(Error::Io { .. })));
    assert!(store.checker().unwrap().check(data.name).is_err());
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

    #[test]
    fn bytes_of_any_kind_in_the_place_of_a_pack_do_not_panic(cuts in proptest::collection::vec((0usize..4000, any::<u8>(), 0usize..40), 1..6)) {
        let (_, info, mut bytes) = one_pack();
        for (at, value, repeat) in cuts {
            let at = at % bytes.len();
            let end = (at + repeat).min(bytes.len());
            bytes[at..end].fill(value);
        }
        let info = PackInfo { bytes: bytes.len() as u64, ..info };
        try_pack(&info, bytes);
    }
}
