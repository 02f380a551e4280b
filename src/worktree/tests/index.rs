//! The index against a map, and against damage at every byte.

use std::collections::BTreeMap;
use std::path::Path;

use super::*;
use crate::model::ManifestId;
use crate::worktree::{Changes, Error, FileList, Index};

type Map = BTreeMap<RepoPath, Record>;

fn base(number: u8) -> ManifestId {
    ManifestId::from_bytes([number; 32])
}

/// Everything that an index says, in the words of a map.
fn read(index: &Index) -> Map {
    let mut all = Map::new();
    for place in 0..index.directories() {
        let rows = index.rows(place).unwrap();
        assert_eq!(index.find_directory(rows.path()), Some(place));
        for row in 0..rows.len() {
            let name = [rows.path(), rows.name(row)].join(&b'/');
            let name = path(name.strip_prefix(b"/").unwrap_or(&name));
            assert_eq!(index.get(&name), rows.record(row));
            all.insert(name, rows.record(row).unwrap());
        }
    }
    assert_eq!(index.len(), all.len() as u64, "a row is there twice");
    all
}

fn load(file: &Path) -> Index {
    Index::load(file).unwrap().unwrap()
}

/// What an update makes of the records: those that left doubt say nothing any more.
fn updated(map: &Map, old: i64, changes: &BTreeMap<RepoPath, Option<Record>>) -> Map {
    let mut new = map.clone();
    for record in new.values_mut() {
        if record.stat.ctime_ns >= old {
            record.stat = Stat::UNKNOWN;
        }
    }
    for (path, change) in changes {
        match change {
            Some(record) => drop(new.insert(path.clone(), *record)),
            None => drop(new.remove(path)),
        }
    }
    new
}

proptest! {
    #[test]
    fn an_index_says_what_was_put_into_it(
        first in proptest::collection::btree_map(any_path(), any_record(), 0..40),
        moments in proptest::array::uniform3(any::<i64>()),
        rounds in proptest::array::uniform2(proptest::collection::btree_map(
            any_path(), proptest::option::of(any_record()), 0..20)),
        reverse in any::<bool>(),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("index");
        let mut given: Vec<_> = first.clone().into_iter().collect();
        if reverse {
            given.reverse();
        }
        Index::build(&file, base(0), moments[0], given).unwrap();
        let mut map = first;
        for (round, changes) in rounds.iter().enumerate() {
            let index = load(&file);
            prop_assert_eq!(index.base(), Some(base(round as u8)));
            prop_assert_eq!(index.as_of(), moments[round]);
            prop_assert_eq!(&read(&index), &map);
            map = updated(&map, moments[round], changes);
            let changes: Vec<_> = changes.clone().into_iter().collect();
            let known = changes.iter().filter_map(|(path, record)| Some((path.clone(), (*record)?)));
            let records: FileList<_> = known.collect();
            let gone = changes.iter().filter(|(_, record)| record.is_none());
            let gone: Vec<_> = gone.map(|(path, _)| path.clone()).collect();
            let changes = match reverse {
                true => Changes::Many(&records, &gone),
                false => Changes::Some(&changes),
            };
            index.update(&file, base(round as u8 + 1), moments[round + 1], changes).unwrap();
        }
        let index = load(&file);
        prop_assert_eq!(&read(&index), &map);
        for name in map.keys() {
            let below: Vec<_> = index.below(name.as_bytes()).collect();
            let naive: Vec<_> = (0..index.directories())
                .filter(|place| {
                    let directory = index.rows(*place).unwrap().path();
                    directory != name.as_bytes()
                        && RepoPath::new(directory)
                            .is_ok_and(|path| path.is_at_or_below(name.as_bytes()))
                })
                .collect();
            prop_assert_eq!(below, naive);
        }
    }

    #[test]
    fn whatever_lies_in_the_place_of_an_index_is_refused_or_read_without_panic(
        bytes in proptest::collection::vec(any::<u8>(), 0..400),
        head in any::<bool>(),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("index");
        let mut bytes = bytes;
        if head {
            bytes.splice(..0, *b"STEMWORK\x01\0\0\0");
        }
        put(&file, &bytes);
        let refused = matches!(Index::load(&file), Err(Error::IndexDamaged { .. }));
        prop_assert!(refused);
    }
}

fn put(file: &Path, bytes: &[u8]) {
    use std::io::Write;
    let mut options = std::fs::File::options();
    options.write(true).create(true).truncate(true).open(file).unwrap().write_all(bytes).unwrap();
}

fn sample(file: &Path) -> Map {
    let names: [&[u8]; 6] = [b"a", b"b", b"d/a", b"d/e/f", b"d/\xff", b"z"];
    let map: Map = names
        .iter()
        .enumerate()
        .map(|(number, name)| {
            let number = number as u64;
            let id = FileId::from_bytes([number as u8 + 1; 32]);
            let file = FileRef { mode: Mode::File, size: number * 1000, file: id };
            let (mtime_ns, ctime_ns) = (number as i64 * 77, number as i64 * 99);
            let stat = Stat { size: number, mtime_ns, ctime_ns, inode: number, mode: Mode::File };
            (path(*name), Record { file, stat })
        })
        .collect();
    Index::build(file, base(9), 1 << 40, map.clone()).unwrap();
    map
}

#[test]
fn an_index_with_any_byte_changed_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("index");
    sample(&file);
    let whole = std::fs::read(&file).unwrap();
    for at in 0..whole.len() {
        for mask in [0x01, 0x80, 0xff] {
            let mut changed = whole.clone();
            changed[at] ^= mask;
            put(&file, &changed);
            let loaded = Index::load(&file);
            assert!(matches!(loaded, Err(Error::IndexDamaged { .. })), "byte {at} ^ {mask:#x}");
        }
    }
}

#[test]
fn an_index_cut_or_continued_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("index");
    let map = sample(&file);
    let whole = std::fs::read(&file).unwrap();
    for length in 0..whole.len() {
        put(&file, &whole[..length]);
        assert!(matches!(Index::load(&file), Err(Error::IndexDamaged { .. })), "cut at {length}");
    }
    put(&file, &[&whole[..], b"\0"].concat());
    assert!(Index::load(&file).is_err());
    put(&file, &whole);
    assert_eq!(read(&load(&file)), map);
}

#[test]
fn what_is_no_file_is_no_index() {
    let dir = tempfile::tempdir().unwrap();
    assert!(Index::load(&dir.path().join("none")).unwrap().is_none());
    assert!(matches!(Index::load(dir.path()), Err(Error::IndexDamaged { .. })));
}

#[test]
fn a_file_changed_at_or_after_the_indexs_moment_leaves_doubt() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("index");
    Index::build(&file, base(0), 1000, []).unwrap();
    let index = load(&file);
    let at = |ctime_ns| Stat { ctime_ns, size: 1, mtime_ns: 5, inode: 3, mode: Mode::File };
    assert!(!index.is_racy(&at(999)));
    assert!(index.is_racy(&at(1000)));
    assert!(index.is_racy(&at(1001)));
    assert!(index.is_racy(&Stat::UNKNOWN));
    assert!(Index::empty().is_racy(&at(i64::MIN)), "an empty index knows nothing");
}

#[test]
fn an_index_that_cannot_be_written_leaves_the_old_one() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("index");
    let map = sample(&file);
    let blocked = dir.path().join("directory");
    std::fs::create_dir_all(blocked.join("full")).unwrap();
    assert!(matches!(
        load(&file).update(&blocked, base(1), 0, Changes::Some(&[])),
        Err(Error::IndexWrite { .. })
    ));
    assert_eq!(read(&load(&file)), map);
    let names: Vec<_> = std::fs::read_dir(dir.path()).unwrap().collect();
    assert_eq!(names.len(), 2, "no temporary file is left: {names:?}");
}
