//! What is not whole, and what was crafted.

use super::*;

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

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

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
