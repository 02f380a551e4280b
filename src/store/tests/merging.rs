//! Packs and tables that are made of others.

use super::*;

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
    for bytes in [300, 1000, 5000, 100 << 10] {
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
            live.push(make(bytes, epoch));
            for group in merge_candidates(&live) {
                let bytes = group.iter().map(|pack| pack.bytes).sum::<u64>();
                copied += bytes;
                live.retain(|pack| !group.contains(pack));
                live.push(make(bytes, epoch));
            }
        }
        let small = live.iter().filter(|pack| pack.bytes < PACK_BYTES / 2).count();
        assert!(small < 32, "{small} packs are left of commits of {bytes} bytes");
        assert!(copied <= 6 * 4000 * bytes, "{copied} bytes copied of commits of {bytes}");
    }
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
