//! `fsck`: every damage is found and named, nothing sound is.

use std::path::Path;

use stemmata::catalogue::Catalogue;
use stemmata::chunk::Profile;
use stemmata::format::frame::Key;
use stemmata::format::manifest;
use stemmata::format::recipe::{ChunkRef, RecipeBuilder};
use stemmata::model::{ChunkId, Entry, FileId, FileRef, Mode, RepoPath};
use stemmata::ops::fsck::{Depth, Fsck, fsck};
use stemmata::repo::{Content, Environment, Repository, Transaction};

use crate::place::{Place, noise, overwrite};

/// A repository of a few KiB in which every kind of object occurs.
fn small() -> Place {
    let place = Place::new();
    place.write("text/a.txt", "the same line\n".repeat(40).as_bytes());
    place.write("noise.bin", &noise(1, 300));
    place.write("lines.txt", &lines(70_000));
    place.commit("first");
    place.write("noise.bin", &noise(2, 200));
    place.commit("second");
    place
}

/// Compresses and is longer than one chunk.
fn lines(bytes: usize) -> Vec<u8> {
    let text: String =
        (0..bytes / 10).map(|number| format!("{:09}\n", number * 7919 % 9973)).collect();
    text.into_bytes()
}

pub(crate) fn open(place: &Place) -> Repository {
    Repository::open(&place.work(), Environment::default()).unwrap()
}

pub(crate) fn check(place: &Place, depth: Depth) -> Fsck {
    fsck(&open(place), depth).unwrap()
}

/// Reads every file of every version: what can be read must be right.
pub(crate) fn assert_nothing_wrong_is_read(place: &Place) -> bool {
    let repository = open(place);
    let mut whole = true;
    for row in repository.catalogue.all_versions().unwrap() {
        let Ok(list) = manifest::list(repository.nodes(), &row.manifest, b"") else {
            whole = false;
            continue;
        };
        for entry in list {
            let Ok(entry) = entry else {
                whole = false;
                continue;
            };
            match Content::new(&repository).unwrap().whole(&entry.file) {
                Ok(bytes) => {
                    assert_eq!(stemmata::model::FileId::of(&bytes), entry.file.file);
                }
                Err(_) => whole = false,
            }
        }
    }
    whole
}

#[test]
fn a_sound_repository_is_well_at_every_depth() {
    let place = small();
    for (flags, bytes) in [(&["fsck", "--quick"][..], 0), (&["fsck"], 0)] {
        let (exit, data) = place.json(flags);
        assert_eq!((exit, &data["ok"]), (0, &true.into()), "{data:#}");
        assert_eq!(data["checked"]["bytes"], bytes);
    }
    let (exit, data) = place.json(&["fsck", "--read-data"]);
    let on_disk: u64 = place.packs().iter().map(|pack| pack.metadata().unwrap().len()).sum();
    assert_eq!(exit, 0);
    assert_eq!(data["checked"]["bytes"], on_disk);
    assert_eq!(data["checked"]["versions"], 2);
    assert_eq!(data["checked"]["files"], 4);
    assert_eq!(data["checked"]["packs"], place.packs().len());
    assert!(data["checked"]["chunks"].as_u64().unwrap() > 4, "{data:#}");
    assert!(place.ok(&["fsck"]).contains("all is well"));
}

#[test]
fn a_flipped_byte_anywhere_in_any_pack_is_found_and_never_read() {
    let place = small();
    let (mut flips, mut harmless) = (0, 0);
    for pack in place.packs() {
        let whole = std::fs::read(&pack).unwrap();
        let name = pack.file_name().unwrap().to_str().unwrap().to_owned();
        // Every byte near both ends; between them a step that meets every place in a frame.
        let near = |at: &usize| *at < 130 || *at + 130 > whole.len() || at.is_multiple_of(199);
        for at in (0..whole.len()).filter(near) {
            let mut bytes = whole.clone();
            bytes[at] ^= 1 << (at % 8);
            overwrite(&pack, &bytes);
            let seen = check(&place, Depth::ReadData);
            let named = seen
                .damaged
                .iter()
                .any(|damage| damage.pack.is_some_and(|pack| pack.to_string() == name));
            let readable = assert_nothing_wrong_is_read(&place);
            if seen.ok {
                // Some bits inside of a compressed frame change nothing of what comes out.
                assert!(readable, "byte {at} of {}", whole.len());
                harmless += 1;
            } else {
                assert!(named, "byte {at} of {}: {seen:#?}", whole.len());
            }
            flips += 1;
        }
        overwrite(&pack, &whole);
    }
    assert!(flips > 500 && harmless * 50 < flips, "{harmless} of {flips}");
    place.assert_sound();
}

#[test]
fn a_damaged_pack_ends_the_program_with_13_and_is_named_with_its_paths() {
    let place = small();
    let pack = place.packs().into_iter().find(|pack| {
        let bytes = std::fs::read(pack).unwrap();
        bytes.windows(200).any(|window| window == noise(2, 200))
    });
    let pack = pack.unwrap();
    let mut bytes = std::fs::read(&pack).unwrap();
    let at = bytes.windows(200).position(|window| window == noise(2, 200)).unwrap();
    bytes[at + 100] ^= 4;
    overwrite(&pack, &bytes);
    assert_eq!(place.json(&["fsck"]).0, 0, "its table is sound");
    let (exit, data) = place.json(&["fsck", "--read-data"]);
    assert_eq!((exit, &data["ok"]), (13, &false.into()));
    let [damage] = &data["damaged"].as_array().unwrap()[..] else { panic!("{data:#}") };
    assert_eq!(damage["kind"], "chunk");
    assert_eq!(damage["pack"], pack.file_name().unwrap().to_str().unwrap());
    assert_eq!(damage["paths"], serde_json::json!(["noise.bin"]));
    assert_eq!(damage["versions"].as_array().unwrap().len(), 1);
    let output = place.run(&["fsck", "--read-data"]);
    assert!(String::from_utf8_lossy(&output.stdout).contains("needed by noise.bin"));
}

#[test]
fn a_pack_that_is_missing_or_cut_is_found_at_every_depth() {
    let place = small();
    for pack in place.packs() {
        let whole = std::fs::read(&pack).unwrap();
        let name = pack.file_name().unwrap().to_str().unwrap();
        std::fs::remove_file(&pack).unwrap();
        for flags in [&["fsck", "--quick"][..], &["fsck"], &["fsck", "--read-data"]] {
            let (exit, data) = place.json(flags);
            let missing = data["missing"].as_array().unwrap();
            assert_eq!(exit, 13, "{flags:?}");
            assert!(missing.iter().any(|it| it["id"] == name), "{flags:?}: {data:#}");
        }
        for len in [0, 10, whole.len() / 2, whole.len() - 1] {
            overwrite(&pack, &whole[..len]);
            let (exit, data) = place.json(&["fsck", "--quick"]);
            let damaged = data["damaged"].as_array().unwrap();
            assert_eq!(exit, 13, "cut at {len}");
            assert!(damaged.iter().any(|it| it["id"] == name), "cut at {len}: {data:#}");
        }
        overwrite(&pack, &whole);
    }
    place.assert_sound();
}

#[test]
fn a_changed_journal_and_a_planted_file_are_told_apart() {
    let place = small();
    overwrite(&place.store().join("packs/0123456789abcdef0123456789abcdef"), b"not a pack");
    let (exit, data) = place.json(&["fsck", "--read-data"]);
    assert_eq!(exit, 0, "what nobody relies on does no harm");
    assert_eq!(data["strangers"], serde_json::json!(["0123456789abcdef0123456789abcdef"]));
    let database = place.store().join("catalogue.db");
    let mut bytes = std::fs::read(&database).unwrap();
    let at = bytes.windows(6).rposition(|window| window == b"second").unwrap();
    bytes[at] = b'S';
    overwrite(&database, &bytes);
    let (exit, data) = place.json(&["fsck", "--quick"]);
    assert_eq!(exit, 13, "{data:#}");
}

fn dump(database: &Path) -> String {
    Catalogue::open(database).unwrap().dump().unwrap()
}

#[test]
fn a_catalogue_that_is_gone_or_ruined_is_made_again_as_it_was() {
    let place = small();
    place.ok(&["branch", "other"]);
    place.ok(&["tag", "v1", "-m", "the first"]);
    let database = place.store().join("catalogue.db");
    let before = dump(&database);
    let size = database.metadata().unwrap().len() as usize;
    let ruins: [Option<Vec<u8>>; 5] =
        [None, Some(Vec::new()), Some(vec![0; size]), Some(noise(7, size)), Some(noise(8, 3))];
    for (number, ruin) in ruins.into_iter().enumerate() {
        std::fs::remove_file(&database).unwrap();
        if let Some(bytes) = &ruin {
            overwrite(&database, bytes);
        }
        assert_ne!(place.run(&["status"]).status.code(), Some(0));
        let (exit, data) = place.json(&["fsck", "--rebuild", "--read-data"]);
        assert_eq!(exit, 0, "ruin {number}: {data:#}");
        assert_eq!(data["rebuilt"]["versions"], 2);
        assert_eq!(dump(&database), before, "ruin {number}");
        let kept = data["rebuilt"]["kept"].as_str().map(|kept| std::fs::read(kept).unwrap());
        assert_eq!(kept, ruin, "ruin {number}");
    }
    place.write("more.txt", b"goes on\n");
    place.commit("third");
    place.assert_sound();
}

#[test]
fn a_sound_catalogue_is_made_again_without_a_change() {
    let place = small();
    let database = place.store().join("catalogue.db");
    let before = dump(&database);
    std::fs::remove_file(place.store().join("journal.jsonl")).unwrap();
    let (exit, data) = place.json(&["fsck", "--rebuild"]);
    assert_eq!(exit, 0, "{data:#}");
    assert_eq!(dump(&database), before);
    assert!(place.store().join("catalogue.db.before-rebuild-1").is_file());
    assert_eq!(place.json(&["fsck", "--rebuild"]).0, 0);
    assert!(place.store().join("catalogue.db.before-rebuild-2").is_file());
}

#[test]
fn without_catalogue_and_journal_a_rebuild_refuses_and_changes_nothing() {
    let place = small();
    let before = place.packs();
    std::fs::remove_file(place.store().join("journal.jsonl")).unwrap();
    overwrite(&place.store().join("catalogue.db"), b"ruined");
    let output = place.run(&["fsck", "--rebuild"]);
    assert_ne!(output.status.code(), Some(0));
    assert_eq!(std::fs::read(place.store().join("catalogue.db")).unwrap(), b"ruined");
    assert_eq!(place.packs(), before);
}

/// A recipe is believed, since its chunks are what they are: only who hashes the whole finds out.
#[test]
fn a_recipe_of_other_chunks_is_found_by_hashing_files_whole() {
    let place = small();
    assert_eq!(place.json(&["fsck", "--read-files"]).0, 0);
    let (first, second) = (noise(5, 700), noise(6, 800));
    let file = FileId::of(b"something else of some length");
    let repository = Repository::open_to_write(&place.work(), environment()).unwrap();
    let staged = repository.transact("add", "corpus", None, |session| {
        let mut packer = session.packer()?;
        let mut recipe = RecipeBuilder::new(Profile::Bytes);
        for bytes in [&first, &second].map(|half| half.repeat(100)) {
            let id = ChunkId::of(&bytes);
            session.put_chunk(&mut packer, &Key::chunk(&id), &bytes)?;
            assert!(recipe.push(ChunkRef { id, len: bytes.len() as u32 }).is_none());
        }
        session.give_back(packer)?;
        session.put_meta(&Key::recipe(&file), &recipe.finish()?.recipe.unwrap())?;
        let file = FileRef { mode: Mode::File, size: 150_000, file };
        let entry = Entry { path: RepoPath::new("wrong").unwrap(), file };
        let mut state = repository.state();
        state.staged = session.build_manifest([entry])?;
        Ok((Transaction { state: Some(state), ..Transaction::default() }, ()))
    });
    staged.unwrap();
    drop(repository);
    assert!(check(&place, Depth::ReadData).ok);
    let (exit, data) = place.json(&["fsck", "--read-files"]);
    assert_eq!(exit, 13);
    assert_eq!(data["damaged"][0]["kind"], "recipe");
    assert_eq!(data["damaged"][0]["id"], file.to_hex());
    assert_eq!(data["damaged"].as_array().unwrap().len(), 1, "{data:#}");
}

fn environment() -> Environment {
    let author = "Ann Example <ann@example.org>".parse().ok();
    Environment { author, ..Environment::default() }
}

/// A listing is read to its end before the first file is written: of more files than are written at
/// a time none is there when the last of its nodes cannot be read.
#[test]
fn an_export_of_a_listing_that_cannot_be_read_writes_nothing() {
    let place = Place::new();
    place.write("one", b"1");
    place.commit("one");
    let repository = Repository::open_to_write(&place.work(), environment()).unwrap();
    let file = FileRef { mode: Mode::File, size: 1, file: FileId::of(b"1") };
    let entry = |number: u32| Entry { path: RepoPath::new(format!("{number:05}")).unwrap(), file };
    let many = repository.transact("add", "corpus", None, |session| {
        let mut state = repository.state();
        state.staged = session.build_manifest((0..66_000).map(entry))?;
        let staged = state.staged;
        Ok((Transaction { state: Some(state), ..Transaction::default() }, staged))
    });
    let (mut last, nodes) = (None, repository.nodes());
    manifest::walk(&nodes, &many.unwrap(), |id, _| {
        last = Some(*id);
        true
    })
    .unwrap();
    let at = repository.store.locate(&Key::node(&last.unwrap())).unwrap().unwrap();
    drop(repository);
    place.ok(&["commit", "-m", "many"]);
    let pack = place.packs().into_iter().find(|pack| pack.ends_with(at.pack.to_string())).unwrap();
    let mut bytes = std::fs::read(&pack).unwrap();
    bytes[at.offset as usize + 20] ^= 1;
    overwrite(&pack, &bytes);
    for more in [&["-n"][..], &[]] {
        let told = place.run(&[&["export", "HEAD", "../out"], more].concat());
        assert_eq!(told.status.code(), Some(13), "{}", String::from_utf8_lossy(&told.stderr));
        assert!(!place.directory.path().join("out").exists(), "{more:?}");
    }
    place.ok(&["export", "HEAD~1", "../out"]);
}
