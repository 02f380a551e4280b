//! The damage matrix: every byte of every pack of a small repository, changed, cut off and added to.
//!
//! All bits of every byte at once; with `STEM_DAMAGE=all` also each of its eight alone.

use stemmata::model::FileId;
use stemmata::ops::export::export;
use stemmata::ops::fsck::{Depth, Fsck};

use crate::fsck::{assert_nothing_wrong_is_read, check, open};
use crate::place::{Place, noise, overwrite};

/// A repository of a few KiB with every kind of object: stored and compressed chunks, recipes,
/// nodes, versions.
fn tiny() -> Place {
    let place = Place::new();
    // As long as two chunks, and compresses to almost nothing.
    place.write("lines.txt", &b"the same line\n".repeat(5_300));
    place.write("d/noise.bin", &noise(1, 60));
    place.commit("first");
    place.write("d/noise.bin", &noise(2, 50));
    place.commit("second");
    place
}

fn changes() -> Vec<u8> {
    let each = std::env::var("STEM_DAMAGE").is_ok_and(|word| word == "all");
    let single = (0..8).map(|bit| 1 << bit).filter(|_| each);
    std::iter::once(0xff).chain(single).collect()
}

fn names(seen: &Fsck, pack: &str) -> bool {
    let mut wrong = seen.damaged.iter().chain(&seen.missing);
    wrong.any(|damage| damage.pack.is_some_and(|name| name.to_string() == pack))
}

/// What is checked out of a damaged store has right content, or is not there.
fn assert_nothing_wrong_is_written(place: &Place) {
    let repository = open(place);
    let versions = repository.catalogue.all_versions().unwrap();
    for row in versions {
        let out = place.directory.path().join("out");
        // Whether it works is for `fsck` to foretell; here only what came of it counts.
        let _ = export(&repository, &row.id.to_hex(), &out, false);
        for (path, expected) in [
            ("lines.txt", vec![b"the same line\n".repeat(5_300)]),
            ("d/noise.bin", vec![noise(1, 60), noise(2, 50)]),
        ] {
            if let Ok(bytes) = std::fs::read(out.join(path)) {
                assert!(expected.contains(&bytes), "{path} is wrong: {}", FileId::of(&bytes));
            }
        }
        let _ = std::fs::remove_dir_all(&out);
    }
}

#[test]
fn every_byte_of_every_pack_matters_and_its_damage_is_named() {
    let place = tiny();
    let (mut flips, mut harmless, mut bytes_in_packs) = (0_usize, 0, 0);
    for pack in place.packs() {
        let whole = std::fs::read(&pack).unwrap();
        let name = pack.file_name().unwrap().to_str().unwrap();
        bytes_in_packs += whole.len();
        for at in 0..whole.len() {
            for change in changes() {
                let mut bytes = whole.clone();
                bytes[at] ^= change;
                overwrite(&pack, &bytes);
                let seen = check(&place, Depth::ReadData);
                let readable = assert_nothing_wrong_is_read(&place);
                if seen.ok && change != 0xff && readable {
                    // A single bit inside of a compressed frame may mean nothing to zstd.
                    harmless += 1;
                } else {
                    let at = format!("byte {at} of {}, change {change:#x}", whole.len());
                    assert!(!seen.ok && names(&seen, name), "{at} of pack {name}: {seen:#?}");
                }
                if flips.is_multiple_of(40) {
                    assert_nothing_wrong_is_written(&place);
                }
                flips += 1;
            }
        }
        overwrite(&pack, &whole);
    }
    assert!(bytes_in_packs > 1500 && harmless * 100 < flips, "{harmless} of {flips}");
    eprintln!("{flips} changes of {bytes_in_packs} bytes, {harmless} without effect");
    place.assert_sound();
}

#[test]
fn a_pack_cut_at_any_byte_or_followed_by_one_is_named_and_nothing_wrong_is_read() {
    let place = tiny();
    for pack in place.packs() {
        let whole = std::fs::read(&pack).unwrap();
        let name = pack.file_name().unwrap().to_str().unwrap();
        let longer = [&whole[..], b"x"].concat();
        for len in (0..longer.len() + 1).filter(|len| *len != whole.len()) {
            overwrite(&pack, &longer[..len]);
            let seen = check(&place, Depth::Quick);
            assert!(!seen.ok && names(&seen, name), "cut at {len}: {seen:#?}");
            assert_nothing_wrong_is_read(&place);
        }
        overwrite(&pack, &whole);
    }
    place.assert_sound();
}

/// The index of a worktree only makes things faster: whatever is in it, what is said is right.
#[test]
fn a_changed_byte_in_the_index_of_the_worktree_gives_no_wrong_answer() {
    let place = tiny();
    place.write("d/noise.bin", &noise(3, 50));
    let status = place.ok(&["status", "--porcelain"]);
    assert_eq!(status, " M d/noise.bin\n");
    let file = place.work().join(".stem/index");
    let whole = std::fs::read(&file).unwrap();
    for at in (0..whole.len()).step_by(3) {
        let mut bytes = whole.clone();
        bytes[at] ^= 1 << (at % 8);
        overwrite(&file, &bytes);
        assert_eq!(place.ok(&["status", "--porcelain"]), status, "byte {at}");
    }
    place.ok(&["commit", "-am", "third"]);
    place.assert_sound();
}
