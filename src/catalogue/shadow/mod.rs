//! What the tables must be: the journal's changes made once more, in memory.
//!
//! Here: following entries, and comparing what comes of them with the tables ([`compare`]). Rows that
//! are only ever added are kept as sums, so memory grows with what there is, not with what it says.
//! Not here: whether an entry follows from the one before it (`journal`), and whether a change may be
//! made (`effects`): whoever wrote the entry has looked.
//! Invariant: after any journal that `apply` has written, nothing differs.

mod compare;
mod read;

use std::collections::{BTreeMap, HashMap, HashSet};

pub use self::compare::{Difference, Differences};
use super::read::signed;
use super::rows::{self, Cell, Row, Table, row};
use super::{Annotation, journal::canonical};
use super::{Change, Head, JournalEntry, PackRecord, PackState, Result, WorktreeId, WorktreeState};
use crate::model::{DatasetName, FileId, PackName, Presence, RefKind, RefName, VersionId};

/// A digest of rows in their order.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Sum([u8; 16]);

impl Sum {
    fn add(&mut self, cells: &[Cell<'_>]) {
        let mut bytes = Vec::with_capacity(1024);
        bytes.extend_from_slice(&self.0);
        for cell in cells {
            let (kind, number) = match cell {
                Cell::Null => (b'-', 0),
                Cell::Int(number) => (b'i', number.cast_unsigned()),
                Cell::Real(number) => (b'r', number.to_bits()),
                Cell::Text(text) => (b't', text.len() as u64),
            };
            bytes.push(kind);
            bytes.extend_from_slice(&number.to_le_bytes());
            if let Cell::Text(text) = cell {
                bytes.extend_from_slice(text.as_bytes());
            }
        }
        self.0.copy_from_slice(&blake3::hash(&bytes).as_bytes()[..16]);
    }

    fn of(cells: &[Cell<'_>]) -> Self {
        let mut sum = Self::default();
        sum.add(cells);
        sum
    }
}

/// A row that may change, and the entry that has changed it last.
#[derive(Debug, Clone)]
struct State {
    cells: Vec<Cell<'static>>,
    number: u64,
}

/// How a version came to be known.
#[derive(Debug, Clone)]
struct Added {
    dataset: Option<DatasetName>,
    /// The entry, and its place among the changes of it.
    at: (u64, usize),
    /// As in the table; 0 until the version was read.
    generation: i64,
}

/// What the entries that were followed have made.
#[derive(Debug, Default)]
pub(super) struct Shadow {
    /// The last of them.
    number: u64,
    /// By table and key.
    state: BTreeMap<Table, HashMap<String, State>>,
    versions: HashMap<VersionId, Added>,
    /// What versions say of themselves, by table; nothing at all for one that cannot be read.
    read: HashMap<VersionId, BTreeMap<Table, Sum>>,
    /// What records say of versions, by table and entry.
    said: HashMap<VersionId, BTreeMap<(Table, u64), Sum>>,
    /// Rows that are only added, by entry.
    log: BTreeMap<Table, Vec<(u64, Sum)>>,
    /// The first entry that this build does not understand, and why.
    unread: Option<(u64, String)>,
}

/// A key of [`Shadow::state`] from the columns that make it.
fn key(parts: &[&str]) -> String {
    parts.join("\n")
}

impl Shadow {
    pub(super) fn new() -> Self {
        let mut this = Self::default();
        this.set(0, String::new(), row!(Root; 1_i64, 0_i64, 0_i64));
        this
    }

    /// Makes the changes of an entry.
    pub(super) fn follow(&mut self, entry: &JournalEntry) {
        self.number = entry.number;
        if self.unread.is_none()
            && let Err(error) = self.changes(entry)
        {
            self.unread = Some((entry.number, error.to_string()));
        }
    }

    fn changes(&mut self, entry: &JournalEntry) -> Result<()> {
        let detail = entry.parse_detail()?;
        for (ordinal, change) in detail.changes.iter().enumerate() {
            match change {
                Change::RefMoved { dataset, kind, name, old, new, annotation } => {
                    let one = (dataset, *kind, name);
                    self.move_ref(entry.number, one, *new, annotation.as_ref());
                    let message = detail.message.as_deref();
                    self.log_ref(entry, ordinal, one, (*old, *new), message)?;
                }
                Change::Recorded { record } => {
                    let row = rows::of_record(entry, ordinal, record)?;
                    self.append(Table::Record, entry.number, &row.cells);
                    for row in rows::of_record_too(entry, ordinal, record)? {
                        self.say(entry.number, record.version, row);
                    }
                }
                Change::VersionAdded { version, dataset } => {
                    self.add_version(version, dataset.as_ref(), (entry.number, ordinal));
                }
                Change::VersionRestored { version, dataset, .. } => {
                    self.add_version(version, Some(dataset), (entry.number, ordinal));
                }
                Change::VersionsForgotten { versions } => self.forget(versions),
                Change::PresenceChanged { file, new, .. } => {
                    self.presence(entry.number, file, new.as_ref())?;
                }
                Change::Undone { .. } => {}
                Change::PacksAdded { .. }
                | Change::PacksCondemned { .. }
                | Change::Fenced { .. }
                | Change::PacksSpared { .. }
                | Change::PacksTombstoned { .. }
                | Change::PacksMerged { .. }
                | Change::PacksDropped { .. } => self.packs(entry, change)?,
                _ => self.names(entry, change)?,
            }
        }
        Ok(())
    }

    fn set(&mut self, number: u64, key: String, row: Row<'_>) {
        let cells = row.cells.into_iter().map(Cell::into_owned).collect();
        self.state.entry(row.table).or_default().insert(key, State { cells, number });
    }

    fn state(&mut self, table: Table, key: &str) -> Option<&mut State> {
        self.state.get_mut(&table)?.get_mut(key)
    }

    fn unset(&mut self, table: Table, key: &str) -> Option<State> {
        self.state.get_mut(&table)?.remove(key)
    }

    fn append(&mut self, table: Table, number: u64, cells: &[Cell<'_>]) {
        let log = self.log.entry(table).or_default();
        match log.last_mut().filter(|(last, _)| *last == number) {
            Some((_, sum)) => sum.add(cells),
            None => log.push((number, Sum::of(cells))),
        }
    }

    fn say(&mut self, number: u64, version: Option<VersionId>, row: Row<'_>) {
        match (row.table, version) {
            (Table::Use, _) => self.append(Table::Use, number, &row.cells),
            (Table::Consumer, _) => self.consumer(number, row),
            (table, Some(version)) => {
                let said = self.said.entry(version).or_default();
                said.entry((table, number)).or_default().add(&row.cells);
            }
            (_, None) => {}
        }
    }

    /// What was said of the consumer before stays where nothing new is said.
    fn consumer(&mut self, number: u64, mut row: Row<'_>) {
        let Some(Cell::Text(name)) = row.cells.first().cloned() else { return };
        if row.cells.get(2) == Some(&Cell::Null)
            && let Some(known) = self.state(Table::Consumer, &name)
        {
            row.cells[2] = known.cells[2].clone();
        }
        self.set(number, name.into_owned(), row);
    }

    fn names(&mut self, entry: &JournalEntry, change: &Change) -> Result<()> {
        match change {
            Change::DatasetCreated { dataset } => {
                let row = row!(Dataset; dataset.as_str(), entry.time.unix());
                self.set(entry.number, dataset.as_str().to_owned(), row);
            }
            Change::DatasetRemoved { dataset } => {
                self.unset(Table::Dataset, dataset.as_str());
            }
            Change::WorktreeChanged { id, new, .. } => {
                self.worktree(entry.number, id, new.as_ref())?;
            }
            Change::Imported { origin, pairs } => {
                for (foreign, version) in pairs {
                    let row = row!(Imported; origin, foreign, version.to_hex());
                    self.set(entry.number, key(&[origin, foreign]), row);
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn move_ref(
        &mut self,
        number: u64,
        (dataset, kind, name): (&DatasetName, RefKind, &RefName),
        new: Option<VersionId>,
        annotation: Option<&Annotation>,
    ) {
        let key = key(&[dataset.as_str(), kind.as_str(), name.as_str()]);
        let Some(version) = new else {
            self.unset(Table::Ref, &key);
            return;
        };
        let row = row!(Ref;
            dataset.as_str(), kind.as_str(), name.as_str(), version.to_hex(),
            annotation.map(|a| &a.message),
            annotation.map(|a| &a.tagger.name),
            annotation.map(|a| &a.tagger.email),
            annotation.map(|a| a.time.unix()),
        );
        self.set(number, key, row);
    }

    fn log_ref(
        &mut self,
        entry: &JournalEntry,
        ordinal: usize,
        (dataset, kind, name): (&DatasetName, RefKind, &RefName),
        (old, new): (Option<VersionId>, Option<VersionId>),
        message: Option<&str>,
    ) -> Result<()> {
        let row = row!(RefLog;
            signed("the number of a journal entry", entry.number)?,
            signed("the number of changes", ordinal as u64)?,
            dataset.as_str(), kind.as_str(), name.as_str(),
            old.map(|id| id.to_hex()), new.map(|id| id.to_hex()),
            entry.time.unix(), &entry.actor, &entry.action, message,
        );
        self.append(Table::RefLog, entry.number, &row.cells);
        Ok(())
    }

    fn worktree(
        &mut self,
        number: u64,
        id: &WorktreeId,
        new: Option<&WorktreeState>,
    ) -> Result<()> {
        let before = self.unset(Table::Worktree, id.as_str());
        let Some(state) = new else { return Ok(()) };
        let generation = match before.as_ref().and_then(|before| before.cells.last()) {
            Some(Cell::Int(generation)) => generation + 1,
            _ => 1,
        };
        let (branch, version) = match &state.head {
            Head::Branch { name, at } => (Some(name.as_str()), at.map(|version| version.to_hex())),
            Head::Detached { version } => (None, Some(version.to_hex())),
        };
        let operation = state.operation.as_ref();
        let operation = operation.map(|value| canonical("an operation", value)).transpose()?;
        let row = row!(Worktree;
            id.as_str(), &state.path, state.dataset.as_str(), branch, version,
            state.staged.to_hex(), operation, generation,
        );
        self.set(number, id.as_str().to_owned(), row);
        Ok(())
    }

    fn presence(&mut self, number: u64, file: &FileId, new: Option<&Presence>) -> Result<()> {
        let key = file.to_hex();
        let Some(new) = new else {
            self.unset(Table::Presence, &key);
            return Ok(());
        };
        let (certificate, by, place) = match new {
            Presence::Erased { certificate, .. } => (Some(certificate), None, None),
            Presence::Replaced { by, by_size, certificate, .. } => {
                (Some(certificate), Some((by.to_hex(), signed("a size", *by_size)?)), None)
            }
            Presence::Archived { place, .. } => (None, None, Some(place)),
        };
        let (by, by_size) = by.unzip();
        let row = row!(Presence;
            file.to_hex(), new.as_str(), signed("a size", new.size())?, certificate, by, by_size,
            place, signed("the number of a journal entry", number)?,
        );
        self.set(number, key, row);
        Ok(())
    }

    fn add_version(
        &mut self,
        version: &VersionId,
        dataset: Option<&DatasetName>,
        at: (u64, usize),
    ) {
        let added = || Added { dataset: dataset.cloned(), at, generation: 0 };
        self.versions.entry(*version).or_insert_with(added);
    }

    fn forget(&mut self, versions: &[VersionId]) {
        for version in versions {
            self.versions.remove(version);
            self.said.remove(version);
        }
        let gone: HashSet<String> = versions.iter().map(VersionId::to_hex).collect();
        let Some(imported) = self.state.get_mut(&Table::Imported) else { return };
        imported.retain(|_, state| match &state.cells[..] {
            [_, _, Cell::Text(version)] => !gone.contains(version.as_ref()),
            _ => true,
        });
    }

    fn packs(&mut self, entry: &JournalEntry, change: &Change) -> Result<()> {
        let mut all = |packs: &[PackName], state: Option<PackState>, epoch: Option<Option<i64>>| {
            for name in packs {
                let Some(pack) = self.state(Table::Pack, &name.to_hex()) else { continue };
                pack.number = entry.number;
                match state {
                    Some(state) => pack.cells[2] = Cell::from(state.as_str()),
                    None => pack.cells[8] = Cell::Int(1),
                }
                if let Some(epoch) = epoch {
                    pack.cells[7] = epoch.into();
                }
            }
        };
        match change {
            Change::PacksAdded { packs } => self.add_packs(entry, packs)?,
            Change::PacksCondemned { packs, epoch } => {
                let epoch = signed("an epoch", *epoch)?;
                all(packs, Some(PackState::Condemned), Some(Some(epoch)));
                self.epoch(entry.number, 1, epoch);
            }
            Change::Fenced { epoch } => self.epoch(entry.number, 2, signed("an epoch", *epoch)?),
            Change::PacksSpared { packs, .. } => all(packs, Some(PackState::Live), Some(None)),
            Change::PacksTombstoned { packs, .. } => all(packs, Some(PackState::Tombstone), None),
            Change::PacksMerged { added, removed } => {
                all(removed, Some(PackState::Tombstone), None);
                self.add_packs(entry, added)?;
            }
            Change::PacksDropped { packs } => all(packs, None, None),
            _ => {}
        }
        Ok(())
    }

    fn add_packs(&mut self, entry: &JournalEntry, packs: &[PackRecord]) -> Result<()> {
        for pack in packs {
            let row = row!(Pack;
                pack.name.to_hex(), pack.kind.as_str(), PackState::Live.as_str(),
                signed("the size of a pack", pack.bytes)?,
                signed("the number of objects", pack.objects)?,
                signed("an epoch", pack.epoch)?,
                entry.time.unix(), Cell::Null, 0_i64,
            );
            self.set(entry.number, pack.name.to_hex(), row);
        }
        Ok(())
    }

    /// The epoch (column 1), or the least that may commit (column 2): neither goes back.
    fn epoch(&mut self, number: u64, column: usize, epoch: i64) {
        let Some(root) = self.state(Table::Root, "") else { return };
        if matches!(root.cells[column], Cell::Int(before) if before < epoch) {
            root.cells[column] = Cell::Int(epoch);
            root.number = number;
        }
    }
}
