//! The damage matrix of the catalogue and of the journal's copy: whatever is changed in them, what is said
//! is right, or `fsck` finds it; and what can be made again is.
//!
//! Some of the bytes; all of them that are not free space with `STEM_DAMAGE=all`.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;

use stemmata::model::RefKind;
use stemmata::ops::fsck::{Depth, fsck};
use stemmata::repo::{Environment, Repository, rebuild};

use crate::place::{Place, noise, overwrite};

/// Every table has a row or more.
fn small() -> Place {
    let place = Place::new();
    place.write("a.txt", b"one line\n");
    place.write("d/noise.bin", &noise(1, 60));
    place.commit("a first version");
    place.write("d/noise.bin", &noise(2, 50));
    place.ok(&["add", "-A"]);
    place.ok(&[
        "commit",
        "-m",
        "second",
        "--metric",
        "loss=0.5",
        "--source",
        "uri=https://example.org/x",
    ]);
    place.ok(&["tag", "v1", "-m", "the first tag"]);
    place.ok(&["switch", "-b", "side"]);
    place.ok(&["note", "add", "HEAD", "something to remember"]);
    place.ok(&["consumer", "add", "model", "--kind", "model", "--used", "v1"]);
    place.write("b.txt", b"staged\n");
    place.ok(&["add", "b.txt"]);
    place
}

fn is_all() -> bool {
    std::env::var("STEM_DAMAGE").is_ok_and(|word| word == "all")
}

/// What the repository says of itself; none if it says that something is wrong.
fn answers(place: &Place) -> Option<String> {
    let repository = Repository::open(&place.work(), Environment::default()).ok()?;
    let catalogue = &repository.catalogue;
    let mut said = format!("{:?} {:?}", repository.state(), repository.head().ok()?);
    for row in catalogue.all_versions().ok()? {
        said.push_str(&format!("\n{row:?}"));
    }
    for kind in [RefKind::Branch, RefKind::Tag] {
        said.push_str(&format!("\n{:?}", catalogue.refs(repository.dataset(), kind).ok()?));
    }
    for entry in catalogue.journal(1, u64::MAX, 1000).ok()? {
        said.push_str(&format!("\n{}", entry.to_line()));
    }
    Some(said)
}

/// Whether the check says that all is well; a check that cannot be made says that it is not.
fn is_well(place: &Place) -> bool {
    let Ok(repository) = Repository::open(&place.work(), Environment::default()) else {
        return false;
    };
    fsck(&repository, Depth::Objects).is_ok_and(|seen| seen.ok)
}

/// Everything beside the database that SQLite or a rebuild has left.
fn clear(place: &Place) {
    for entry in std::fs::read_dir(place.store()).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        if name.starts_with("catalogue.db") || name.starts_with("journal.jsonl.") {
            // A connection that closes takes what lies beside the database along.
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

/// The store of a [`small`] place, its two files, and what is right.
struct Matrix {
    place: Place,
    database: PathBuf,
    copy: PathBuf,
    catalogue: Vec<u8>,
    journal: Vec<u8>,
    right: String,
}

impl Matrix {
    fn new() -> Self {
        let place = small();
        let right = answers(&place).unwrap();
        let store = place.store();
        let (database, copy) = (store.join("catalogue.db"), store.join("journal.jsonl"));
        assert!(!store.join("catalogue.db-wal").exists());
        let (catalogue, journal) =
            (std::fs::read(&database).unwrap(), std::fs::read(&copy).unwrap());
        assert!(is_well(&place));
        Self { place, database, copy, catalogue, journal, right }
    }

    fn put(&self, catalogue: &[u8], journal: &[u8]) {
        clear(&self.place);
        overwrite(&self.database, catalogue);
        overwrite(&self.copy, journal);
    }

    fn rebuild(&self) -> bool {
        rebuild(&self.place.work(), &Environment::default()).is_ok()
    }

    fn assert_right(&self, what: &str) {
        assert_eq!(answers(&self.place).as_ref(), Some(&self.right), "{what}");
        assert!(is_well(&self.place), "{what}");
    }
}

fn without_panic<T>(what: &str, body: impl FnOnce() -> T) -> T {
    catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(|_| panic!("{what}: a panic"))
}

/// The places that are tried: the first ones, and each `share`th of those that are not in the middle of
/// free space.
fn places(bytes: &[u8], share: usize, begin: usize) -> impl Iterator<Item = usize> + '_ {
    let free =
        |at: usize| bytes[at.saturating_sub(8)..bytes.len().min(at + 9)].iter().all(|b| *b == 0);
    let used = (0..bytes.len()).filter(move |at| !free(*at)).enumerate();
    let share = if is_all() { 1 } else { share };
    used.filter(move |(number, at)| number.is_multiple_of(share) || *at < begin).map(|(_, at)| at)
}

#[test]
fn a_changed_byte_of_the_catalogue_is_found_or_changes_no_answer_and_it_is_made_again() {
    let matrix = Matrix::new();
    let (mut tried, mut silent) = (0, 0);
    for at in places(&matrix.catalogue, 397, 100) {
        let what = format!("byte {at} of {}", matrix.catalogue.len());
        let mut bytes = matrix.catalogue.clone();
        bytes[at] ^= if tried % 2 == 0 { 0xff } else { 1 << (at % 8) };
        matrix.put(&bytes, &matrix.journal);
        let well = without_panic(&what, || is_well(&matrix.place));
        let said = without_panic(&what, || answers(&matrix.place));
        assert!(!well || said.as_ref() == Some(&matrix.right), "{what}: nobody finds it");
        silent += usize::from(well);
        if tried % 8 == 0 || is_all() {
            assert!(without_panic(&what, || matrix.rebuild()), "{what}");
            matrix.assert_right(&what);
        }
        tried += 1;
    }
    eprintln!("{tried} changes of {} bytes, {silent} without effect", matrix.catalogue.len());
}

#[test]
fn a_changed_byte_of_the_journals_copy_is_found_or_does_no_harm_and_it_is_made_again() {
    let matrix = Matrix::new();
    let (mut tried, mut silent) = (0, 0);
    for at in places(&matrix.journal, 97, 4) {
        let what = format!("byte {at} of {}", matrix.journal.len());
        let mut bytes = matrix.journal.clone();
        bytes[at] ^= if tried % 2 == 0 { 0xff } else { 1 << (at % 8) };
        matrix.put(&matrix.catalogue, &bytes);
        let well = without_panic(&what, || is_well(&matrix.place));
        silent += usize::from(well);
        assert!(without_panic(&what, || matrix.rebuild()), "{what}: the database is sound");
        matrix.assert_right(&what);
        // Without a database it is right, or not made; if nothing was found it is right.
        matrix.put(b"", &bytes);
        let rebuilt = without_panic(&what, || matrix.rebuild());
        let said = answers(&matrix.place);
        assert!(
            !well || rebuilt && said.as_ref() == Some(&matrix.right),
            "{what}: nobody finds it"
        );
        tried += 1;
    }
    eprintln!("{tried} changes of {} bytes, {silent} without effect", matrix.journal.len());
}

/// The exit code and what is said of a verb that only reads, and of one that writes.
fn told(matrix: &Matrix, what: &str) {
    for arguments in [&["log"][..], &["status"], &["commit", "--allow-empty", "-m", "more"]] {
        let output = matrix.place.run(arguments);
        let text = String::from_utf8_lossy(&output.stderr);
        match output.status.code() {
            Some(0) => {}
            Some(10 | 13) => assert!(text.contains("catalogue"), "{what}: {arguments:?}: {text}"),
            other => panic!("{what}: {arguments:?} ends with {other:?}: {text}"),
        }
    }
}

#[test]
fn a_catalogue_that_is_cut_emptied_or_removed_is_said_and_made_again() {
    let matrix = Matrix::new();
    let whole = matrix.catalogue.len();
    for len in [0, 1, 15, 16, 99, 100, 512, 4095, 4096, 4097, whole / 2, whole - 4096, whole - 1] {
        let what = format!("cut at {len}");
        matrix.put(&matrix.catalogue[..len], &matrix.journal);
        assert!(!without_panic(&what, || is_well(&matrix.place)), "{what}");
        told(&matrix, &what);
        matrix.put(&matrix.catalogue[..len], &matrix.journal);
        assert!(matrix.rebuild(), "{what}");
        matrix.assert_right(&what);
    }
    clear(&matrix.place);
    told(&matrix, "removed");
    assert!(matrix.rebuild());
    matrix.assert_right("removed");
}

#[test]
fn a_copy_of_the_journal_that_is_cut_emptied_or_removed_is_completed_by_the_next_change() {
    let matrix = Matrix::new();
    let whole = matrix.journal.len();
    for len in [0, 1, whole / 3, whole / 2, whole - 2, whole - 1] {
        let what = format!("cut at {len}");
        matrix.put(&matrix.catalogue, &matrix.journal[..len]);
        assert!(without_panic(&what, || is_well(&matrix.place)), "{what}: it may lack its end");
        matrix.place.ok(&["tag", "more"]);
        matrix.place.ok(&["tag", "-d", "more"]);
        let right = answers(&matrix.place).unwrap();
        clear(&matrix.place);
        assert!(matrix.rebuild(), "{what}");
        assert_eq!(answers(&matrix.place), Some(right), "{what}");
        assert!(is_well(&matrix.place), "{what}");
    }
    matrix.put(&matrix.catalogue, b"");
    std::fs::remove_file(&matrix.copy).unwrap();
    assert!(is_well(&matrix.place) && matrix.rebuild());
    matrix.assert_right("removed");
}
