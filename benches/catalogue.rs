//! What opening, changing and checking a catalogue cost: `cargo bench --bench catalogue`; with
//! `-- audit` only the last part of it.

use std::path::Path;
use std::time::{Duration, Instant};

use stemmata::catalogue::{Catalogue, Change, Changeset, JournalEntry, PackKind, PackRecord};
use stemmata::model::{
    Author, DatasetName, ManifestId, PackName, Provenance, Record, RecordKind, RefKind, Time,
    Version, VersionId,
};
use stemmata::sign::tlog::{Tree, leaf};

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

fn main() -> Outcome<()> {
    let directory = tempfile::tempdir_in(".")?;
    if std::env::args().any(|argument| argument == "audit") {
        return long_audit(directory.path());
    }
    let path = directory.path().join("catalogue.db");
    let catalogue = Catalogue::create(&path)?;
    let mut last = None;
    report("apply, one version each", 200, |at| {
        last = Some(commit(&catalogue, at, last)?);
        Ok(())
    })?;
    drop(catalogue);
    report("open, root and one branch, close", 200, |_| open_and_read(&path))?;
    long_history(directory.path())?;
    long_journal(directory.path())?;
    long_audit(directory.path())
}

fn report(what: &str, times: u32, mut work: impl FnMut(u32) -> Outcome<()>) -> Outcome<()> {
    let mut spent = Vec::new();
    let cpu = cpu_seconds();
    for at in 0..times {
        let begun = Instant::now();
        work(at)?;
        spent.push(begun.elapsed());
    }
    let cpu = (cpu_seconds() - cpu) / f64::from(times);
    spent.sort_unstable();
    line(&format!("{what}, {cpu:.3} CPU s"), spent[spent.len() / 2], times);
    Ok(())
}

/// What this process has taken of all cores so far, to a hundredth of a second: on a busy machine the
/// only figure that can be compared. 0 where the system does not say.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit(") ").next().unwrap_or_default().split(' ');
    let ticks = fields.skip(11).take(2).filter_map(|text| text.parse::<f64>().ok());
    ticks.sum::<f64>() / 100.0
}

#[expect(clippy::print_stdout, reason = "a bench prints its figures")]
fn line(what: &str, median: Duration, times: u32) {
    println!("{what}: {median:?} (median of {times})");
}

fn open_and_read(path: &Path) -> Outcome<()> {
    let catalogue = Catalogue::open(path)?;
    catalogue.root()?;
    catalogue.get_ref(&"corpus".parse()?, RefKind::Branch, &"main".parse()?)?;
    Ok(())
}

fn ada() -> Author {
    Author { name: "Ada".into(), email: "ada@example.org".into() }
}

fn version(at: u32, parent: Option<VersionId>) -> Outcome<(VersionId, Version)> {
    let version = Version {
        format: 1,
        manifest: ManifestId::of(&at.to_le_bytes()),
        files: 1,
        bytes: 1,
        parents: parent.into_iter().collect(),
        author: ada(),
        time: Time::from_unix(1_795_443_000 + i64::from(at))?,
        utc_offset_minutes: None,
        message: format!("version {at}"),
        provenance: Provenance::default(),
    };
    Ok((VersionId::of(serde_json::to_string(&version)?.as_bytes()), version))
}

fn commit(catalogue: &Catalogue, at: u32, parent: Option<VersionId>) -> Outcome<VersionId> {
    let (id, record) = version(at, parent)?;
    let time = record.time;
    let mut changeset = Changeset::new(&ada(), time, "commit", "corpus:main");
    if parent.is_none() {
        changeset.changes.push(Change::DatasetCreated { dataset: "corpus".parse()? });
    }
    changeset.changes.push(Change::VersionAdded { version: id, dataset: None });
    changeset.changes.push(Change::RefMoved {
        dataset: "corpus".parse()?,
        kind: RefKind::Branch,
        name: "main".parse()?,
        old: parent,
        new: Some(id),
        annotation: None,
    });
    changeset.versions.push((id, record));
    catalogue.apply(&changeset)?;
    Ok(id)
}

/// 10,000 versions in a row: walks and the check of the journal.
fn long_history(directory: &Path) -> Outcome<()> {
    let catalogue = Catalogue::create(&directory.join("long.db"))?;
    let (mut first, mut last) = (None, None);
    for group in 0..10 {
        let mut changeset = Changeset::new(&ada(), Time::from_unix(0)?, "import", "corpus");
        for at in 0..1000 {
            let (id, record) = version(group * 1000 + at, last)?;
            changeset.changes.push(Change::VersionAdded { version: id, dataset: None });
            changeset.versions.push((id, record));
            first = first.or(Some(id));
            last = Some(id);
        }
        catalogue.apply(&changeset)?;
    }
    let (first, last) = (first.ok_or("none")?, last.ok_or("none")?);
    report("10,000 versions: whole log", 5, |_| {
        assert_eq!(catalogue.history(&[last])?.count(), 10_000);
        Ok(())
    })?;
    report("10,000 versions: last 10", 20, |_| {
        assert_eq!(catalogue.history(&[last])?.take(10).count(), 10);
        Ok(())
    })?;
    report("10,000 versions: is the first an ancestor of the last", 5, |_| {
        assert!(catalogue.is_ancestor(&first, &last)?);
        Ok(())
    })?;
    report("10,000 versions: common ancestor of the last and the first", 5, |_| {
        assert_eq!(catalogue.merge_bases(&first, &last)?, [first]);
        Ok(())
    })?;
    let mut changeset = Changeset::new(&ada(), Time::from_unix(0)?, "note", "corpus");
    changeset.changes.push(Change::Undone { number: 1 });
    report("apply, one small change", 3000, |_| {
        catalogue.apply(&changeset)?;
        Ok(())
    })?;
    let entries = catalogue.verify_journal()?.entries;
    report(&format!("verify {entries} entries of the journal"), 5, |_| {
        assert!(catalogue.verify_journal()?.is_ok());
        Ok(())
    })
}

/// 200,000 entries like those of small commits: what `stem audit verify` takes for them.
fn long_journal(directory: &Path) -> Outcome<()> {
    let catalogue = Catalogue::create(&directory.join("journal.db"))?;
    let mut entries: Vec<JournalEntry> = Vec::new();
    for number in 1..=200_000 {
        let previous = entries.last().map_or_else(|| "0".repeat(64), |entry| entry.hash.clone());
        let change = Change::PacksDropped { packs: Vec::new() };
        let detail = serde_json::json!({
            "changes": [change], "message": "x".repeat(600), "session_epoch": number,
        });
        let mut entry = JournalEntry {
            number,
            time: Time::from_unix(1_795_443_000)?,
            actor: ada().to_string(),
            action: "commit".into(),
            subject: "corpus:main".into(),
            detail: detail.to_string(),
            previous,
            hash: String::new(),
        };
        entry.hash = entry.computed_hash();
        entries.push(entry);
    }
    catalogue.replay(&entries, |_| Err::<Version, _>("no such object"))?;
    report("200,000 entries: verify the chain", 5, |_| {
        assert!(catalogue.verify_journal()?.is_ok());
        Ok(())
    })?;
    report("200,000 entries: verify the chain, and the tree over it", 5, |_| {
        let mut tree = Tree::default();
        let report =
            catalogue.check_journal(&mut |entry| tree.push(leaf(entry.hash.as_bytes())))?;
        assert!(report.is_ok() && tree.size() == 200_000);
        Ok(())
    })
}

/// 200,000 entries of the kinds that there are most of, and their tables: what `stem audit verify`
/// does, but for the checkpoints.
fn long_audit(directory: &Path) -> Outcome<()> {
    let catalogue = Catalogue::create(&directory.join("audit.db"))?;
    let (id, record) = version(0, None)?;
    let mut entries: Vec<JournalEntry> = Vec::new();
    let mut main = None;
    for number in 1..=200_000_u64 {
        let changes = match number {
            1 => vec![
                Change::DatasetCreated { dataset: "corpus".parse()? },
                Change::VersionAdded { version: id, dataset: Some("corpus".parse()?) },
            ],
            _ => usual(number, id, &mut main)?,
        };
        let previous = entries.last().map_or_else(|| "0".repeat(64), |entry| entry.hash.clone());
        let detail = serde_json::json!({ "changes": changes, "message": "cleaned, and split" });
        let mut entry = JournalEntry {
            number,
            time: Time::from_unix(1_795_443_000)?,
            actor: ada().to_string(),
            action: "commit".into(),
            subject: "corpus:main".into(),
            detail: serde_json_canonicalizer::to_string(&detail)?,
            previous,
            hash: String::new(),
        };
        entry.hash = entry.computed_hash();
        entries.push(entry);
    }
    let begun = std::time::Instant::now();
    catalogue.replay(&entries, |_| Ok::<_, std::fmt::Error>(record.clone()))?;
    line("200,000 entries: replay", begun.elapsed(), 1);
    report("200,000 entries: verify the chain, the tree and all tables", 5, |_| {
        let mut tree = Tree::default();
        let mut load = |_: &VersionId| Ok(record.clone());
        let each = &mut |entry: &JournalEntry| tree.push(leaf(entry.hash.as_bytes()));
        let (report, found) = catalogue.audit(each, &mut load)?;
        assert!(report.is_ok() && found.count == 0, "{found:?}");
        Ok(())
    })
}

/// A branch that moves, with a pack and a worktree; or a figure; or a note.
fn usual(number: u64, id: VersionId, main: &mut Option<VersionId>) -> Outcome<Vec<Change>> {
    let mut record = match number % 4 {
        0 | 1 => {
            let old = main.take();
            *main = if old.is_none() { Some(id) } else { None };
            let mut name = [0; 16];
            name[..8].copy_from_slice(&number.to_le_bytes());
            let (bytes, objects, epoch) = (4096, 12, 0);
            let name = PackName::from_bytes(name);
            let pack = PackRecord { name, kind: PackKind::Meta, bytes, objects, epoch };
            let (dataset, kind): (DatasetName, _) = ("corpus".parse()?, RefKind::Branch);
            let (name, annotation) = ("main".parse()?, None);
            return Ok(vec![
                Change::PacksAdded { packs: vec![pack] },
                Change::RefMoved { dataset, kind, name, old, new: *main, annotation },
            ]);
        }
        2 => Record::new(RecordKind::Metric),
        _ => Record::new(RecordKind::Note),
    };
    record.version = Some(id);
    record.dataset = Some("corpus".parse()?);
    record.text = Some("looked at a hundred of them: three are wrong".into());
    record.body = serde_json::json!({"name": "accuracy", "value": 0.5, "slice": "en"})
        .as_object()
        .cloned()
        .unwrap_or_default();
    Ok(vec![Change::Recorded { record }])
}
