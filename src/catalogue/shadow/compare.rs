//! Holding the tables against what they must be.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use serde::Serialize;
use sqlx::SqliteConnection;

use super::read::{Told, each_row, folded};
use super::{Shadow, State, Sum};
use crate::catalogue::folded::pages;
use crate::catalogue::journal::range;
use crate::catalogue::read::signed;
use crate::catalogue::rows::{self, Cell, Table, row};
use crate::catalogue::{Catalogue, Result};
use crate::model::{Version, VersionId};

/// So many differences are described; the rest is counted.
const MOST: usize = 100;
/// Rows of so many entries are in memory at once.
const ENTRIES: u64 = 4096;

/// Something in the tables that is not as the journal says, or as a version itself says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// What it is, such as ``branch `main` of dataset `corpus` ``.
    pub what: String,
    /// The entry of the journal that it is not as; none if no entry says anything of it.
    pub entry: Option<u64>,
    /// What is wrong, as a sentence that goes on from `what`.
    pub problem: String,
}

/// What was found when the tables were held against the journal.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Differences {
    /// How many there are.
    pub count: u64,
    /// The first of them, in the order of the journal.
    pub differences: Vec<Difference>,
}

impl Differences {
    fn add(&mut self, difference: Difference) {
        self.count += 1;
        self.differences.push(difference);
        if self.differences.len() >= MOST * 4 {
            self.tidy();
        }
    }

    /// In the order of the journal; what no entry says anything of comes last.
    fn tidy(&mut self) {
        let order = |one: &Difference| (one.entry.unwrap_or(u64::MAX), one.what.clone());
        self.differences.sort_by_key(order);
        self.differences.truncate(MOST);
    }
}

/// The tables with rows that may change, and those with rows that are only added.
const CHANGING: [Table; 8] = [
    Table::Root,
    Table::Dataset,
    Table::Ref,
    Table::Pack,
    Table::Worktree,
    Table::Imported,
    Table::Presence,
    Table::Consumer,
];
const ADDED_TO: [Table; 3] = [Table::RefLog, Table::Record, Table::Use];
/// The tables that say of versions what they are.
const OF_VERSIONS: [Table; 6] =
    [Table::Version, Table::Parent, Table::Source, Table::Step, Table::Metric, Table::Derivation];

/// So many pages may wait for the thread that compares them.
const PAGES_AHEAD: usize = 4;

impl Catalogue {
    /// Holds every table that the journal makes against it: `shadow` has followed its entries up to
    /// some number, and follows those that came since. `load` reads versions from the store, for what
    /// they say of themselves; it may ask this catalogue. Reading and comparing go on side by side.
    pub(in crate::catalogue) fn compare(
        &self,
        mut shadow: Shadow,
        load: &mut Load<'_>,
    ) -> Result<Differences> {
        let mut unreadable = Differences::default();
        loop {
            shadow.read_versions(load, &mut unreadable)?;
            let (send, told) = sync_channel(PAGES_AHEAD);
            let (read, compared) = std::thread::scope(|scope| {
                let comparer = scope.spawn(move || compare(&told));
                let read = self.snapshot(async move |connection| {
                    shadow.catch_up(connection).await?;
                    if !shadow.has_read_all() {
                        return Ok(Some(shadow));
                    }
                    tell(connection, shadow, &send).await?;
                    Ok(None)
                });
                (read, comparer.join())
            });
            // Some if versions came since, which are read first.
            if let Some(again) = read? {
                shadow = again;
                continue;
            }
            let mut found = compared.unwrap_or_else(|bug| std::panic::resume_unwind(bug))?;
            unreadable.differences.into_iter().for_each(|one| found.add(one));
            found.tidy();
            return Ok(found);
        }
    }
}

/// Reads a version from the store, or says what keeps it from being read.
pub(in crate::catalogue) type Load<'a> =
    dyn FnMut(&VersionId) -> std::result::Result<Version, String> + 'a;

/// Reads all tables for who compares them, who has gone once nothing more is of interest.
async fn tell(
    connection: &mut SqliteConnection,
    shadow: Shadow,
    send: &SyncSender<Told>,
) -> Result<()> {
    let mut is_heard = send.send(Told::Shadow(Box::new(shadow))).is_ok();
    for table in CHANGING.iter().chain(&ADDED_TO).chain(&OF_VERSIONS) {
        if is_heard {
            let page = |page| send.send(Told::Page(page)).is_ok();
            pages(connection, folded(*table), None, page).await?;
            is_heard = send.send(Told::End).is_ok();
        }
    }
    Ok(())
}

fn compare(told: &Receiver<Told>) -> Result<Differences> {
    let mut found = Differences::default();
    let Ok(Told::Shadow(mut shadow)) = told.recv() else { return Ok(found) };
    if let Some((number, problem)) = &shadow.unread {
        found.add(Difference {
            what: format!("entry {number}"),
            entry: Some(*number),
            problem: format!("cannot be understood: {problem}"),
        });
        return Ok(found);
    }
    for table in CHANGING {
        let states = shadow.state.remove(&table).unwrap_or_default();
        changing(states, (table, told), &mut found)?;
    }
    for table in ADDED_TO {
        added_to(&shadow, (table, told), &mut found)?;
    }
    of_versions(&mut shadow, told, &mut found)?;
    Ok(found)
}

/// The text of the first `count` columns.
fn leading(cells: &[Cell<'_>], count: usize) -> String {
    match cells {
        [Cell::Text(text), ..] if count == 1 => text.clone().into_owned(),
        _ => {
            let parts: Vec<String> = cells.iter().take(count).map(text).collect();
            super::key(&parts.iter().map(String::as_str).collect::<Vec<_>>())
        }
    }
}

fn text(cell: &Cell<'_>) -> String {
    match cell {
        Cell::Null => String::new(),
        Cell::Int(number) => number.to_string(),
        Cell::Real(number) => number.to_string(),
        Cell::Text(text) => text.clone().into_owned(),
    }
}

/// A table, and who tells of it.
type Source<'a> = (Table, &'a Receiver<Told>);

fn changing(
    mut states: HashMap<String, State>,
    (table, told): Source<'_>,
    found: &mut Differences,
) -> Result<()> {
    let key = |cells: &[Cell<'_>]| match table {
        Table::Root => String::new(),
        Table::Ref => leading(cells, 3),
        Table::Imported => leading(cells, 2),
        _ => leading(cells, 1),
    };
    let entry = |state: &State| Some(state.number).filter(|number| *number > 0);
    each_row(table, told, |cells| match states.remove(&key(cells)) {
        Some(state) if state.cells == cells => {}
        Some(state) => found.add(Difference {
            what: name(table, &state.cells),
            entry: entry(&state),
            problem: changed(table, &state.cells, cells),
        }),
        None => found.add(Difference {
            what: name(table, cells),
            entry: None,
            problem: "is there, and no entry of the journal has made it".to_owned(),
        }),
    })?;
    for state in states.into_values() {
        let problem = "is gone, and no later entry has removed it".to_owned();
        found.add(Difference { what: name(table, &state.cells), entry: entry(&state), problem });
    }
    Ok(())
}

/// How a row differs from what it must be.
fn changed(table: Table, wanted: &[Cell<'_>], found: &[Cell<'_>]) -> String {
    let column = match table {
        Table::Ref => 3,
        Table::Pack => 2,
        _ => usize::MAX,
    };
    match (wanted.get(column), found.get(column)) {
        (Some(wanted), Some(found)) if wanted != found => {
            let short = |cell| text(cell).chars().take(12).collect::<String>();
            format!("is {} and not {}", short(found), short(wanted))
        }
        _ => "is not what it was left as".to_owned(),
    }
}

/// What a row stands for, in words.
fn name(table: Table, cells: &[Cell<'_>]) -> String {
    let shown = |at: usize| cells.get(at).map(text).unwrap_or_default().escape_debug().to_string();
    match table {
        Table::Root => "the epoch of the store".to_owned(),
        Table::Pack => format!("pack {}", shown(0)),
        Table::Dataset => format!("dataset `{}`", shown(0)),
        Table::Ref => format!("{} `{}` of dataset `{}`", shown(1), shown(2), shown(0)),
        Table::Worktree => format!("the worktree at {}", shown(1)),
        Table::Imported => format!("the note that {} was imported from {}", shown(1), shown(0)),
        Table::Presence => format!("the presence of file {}", shown(0)),
        Table::Consumer => format!("consumer `{}`", shown(0)),
        Table::Version => format!("version {}", shown(0)),
        Table::Parent => format!("the parents of version {}", shown(0)),
        Table::Source => format!("the sources of version {}", shown(0)),
        Table::Step => format!("the steps of version {}", shown(0)),
        Table::Metric => format!("the metrics of version {}", shown(0)),
        Table::Derivation => format!("the origins of version {}", shown(0)),
        Table::RefLog | Table::Record | Table::Use => "the record".to_owned(),
    }
}

fn added_to(shadow: &Shadow, (table, told): Source<'_>, found: &mut Differences) -> Result<()> {
    let what = match table {
        Table::RefLog => "the log of branches and tags",
        Table::Use => "the list of what consumers used",
        _ => "the table of records",
    };
    let mut tell = |number: u64, problem: &str| {
        let (what, problem) = (what.to_owned(), problem.to_owned());
        found.add(Difference { what, entry: Some(number), problem });
    };
    let column = usize::from(table == Table::Use);
    let mut wanted = shadow.log.get(&table).into_iter().flatten().peekable();
    let mut settle = |(number, sum): (u64, Sum)| {
        while let Some((missing, _)) = wanted.next_if(|(wanted, _)| *wanted < number) {
            tell(*missing, "lacks what it says");
        }
        match wanted.next_if(|(wanted, _)| *wanted == number) {
            Some((_, wanted)) if *wanted == sum => {}
            Some(_) => tell(number, "has other words for what it says"),
            None => tell(number, "has something of it that it does not say"),
        }
    };
    // Rows of one entry stand beside each other.
    let mut group: Option<(u64, Sum)> = None;
    each_row(table, told, |cells| {
        let number = match cells.get(column) {
            Some(Cell::Int(number)) => u64::try_from(*number).unwrap_or(0),
            _ => 0,
        };
        match group.as_mut().filter(|(last, _)| *last == number) {
            Some((_, sum)) => sum.add(cells),
            None => {
                group.replace((number, Sum::of(cells))).map(&mut settle);
            }
        }
    })?;
    group.map(&mut settle);
    for (missing, _) in wanted {
        tell(*missing, "lacks what it says");
    }
    Ok(())
}

/// Holds all tables of versions against what versions and records say, which is used up.
fn of_versions(shadow: &mut Shadow, told: &Receiver<Told>, found: &mut Differences) -> Result<()> {
    let nothing = shadow.read.iter().filter(|(_, said)| said.is_empty());
    let unreadable: HashSet<VersionId> = nothing.map(|(id, _)| *id).collect();
    for table in OF_VERSIONS {
        let mut group: Option<(String, u64, Sum)> = None;
        let mut settle = |(id, number, sum): (String, u64, Sum)| {
            let known: Option<VersionId> = id.parse().ok();
            let problem = match known.and_then(|id| shadow.take_said(table, &id, number)) {
                Some((wanted, _)) if wanted == sum => return,
                Some((_, entry)) => (entry, "not as was said"),
                // Which is told of once, and not for each table.
                None if known.is_some_and(|id| unreadable.contains(&id)) => return,
                None => (number, "in the tables, and nobody has said so"),
            };
            found.add(of_version(table, &[id.into()], problem));
        };
        each_row(table, told, |cells| {
            let number = match (table, cells.get(1)) {
                (Table::Version | Table::Parent, _) => 0,
                (_, Some(Cell::Int(number))) => u64::try_from(*number).unwrap_or(u64::MAX),
                _ => u64::MAX,
            };
            let is_same = |id: &str, last: u64| {
                last == number && matches!(&cells[0], Cell::Text(text) if text == id)
            };
            match group.as_mut().filter(|(id, last, _)| is_same(id, *last)) {
                Some((.., sum)) => sum.add(cells),
                None => {
                    let next = (leading(cells, 1), number, Sum::of(cells));
                    group.replace(next).map(&mut settle);
                }
            }
        })?;
        group.map(&mut settle);
    }
    let lost = |table, id: VersionId, entry| {
        of_version(table, &[id.to_hex().into()], (entry, "not in the tables"))
    };
    for (id, said) in &shadow.read {
        let entry = shadow.versions.get(id).map_or(0, |added| added.at.0);
        said.keys().for_each(|table| found.add(lost(*table, *id, entry)));
    }
    for (id, said) in &shadow.said {
        said.keys().for_each(|(table, entry)| found.add(lost(*table, *id, *entry)));
    }
    Ok(())
}

fn of_version(table: Table, cells: &[Cell<'_>], (entry, problem): (u64, &str)) -> Difference {
    let verb = if table == Table::Version { "is" } else { "are" };
    let entry = Some(entry).filter(|entry| *entry > 0);
    Difference { what: name(table, cells), entry, problem: format!("{verb} {problem}") }
}

impl Shadow {
    /// Follows the entries that came since the journal was read.
    async fn catch_up(&mut self, connection: &mut SqliteConnection) -> Result<()> {
        loop {
            let page = range(connection, self.number + 1, u64::MAX, ENTRIES).await?;
            if page.is_empty() {
                return Ok(());
            }
            page.iter().for_each(|entry| self.follow(entry));
        }
    }

    fn has_read_all(&self) -> bool {
        self.versions.keys().all(|id| self.read.contains_key(id))
    }

    /// What a table must have of a version, by the version itself or an entry, and by which entry it
    /// is known; it is not asked for twice.
    fn take_said(&mut self, table: Table, id: &VersionId, number: u64) -> Option<(Sum, u64)> {
        if number > 0 {
            let sum = self.said.get_mut(id)?.remove(&(table, number))?;
            return Some((sum, number));
        }
        let sum = self.read.get_mut(id)?.remove(&table)?;
        Some((sum, self.versions.get(id).map_or(0, |added| added.at.0)))
    }

    /// Reads what versions say of themselves, as far as that was not done; parents before children.
    fn read_versions(&mut self, load: &mut Load<'_>, found: &mut Differences) -> Result<()> {
        let (versions, read) = (&self.versions, &mut self.read);
        read.retain(|id, _| versions.contains_key(id));
        let unread = versions.iter().filter(|(id, _)| !read.contains_key(id));
        let mut unread: Vec<(VersionId, (u64, usize))> =
            unread.map(|(id, added)| (*id, added.at)).collect();
        unread.sort_unstable_by_key(|(_, at)| *at);
        for (id, (number, _)) in unread {
            let sums = match load(&id) {
                Ok(version) => self.sums(&id, &version)?,
                Err(problem) => {
                    let problem = format!("cannot be read from the store: {problem}");
                    let what = format!("version {id}");
                    found.add(Difference { what, entry: Some(number), problem });
                    BTreeMap::new()
                }
            };
            self.read.insert(id, sums);
        }
        Ok(())
    }

    /// What the tables must have of what a version says of itself.
    fn sums(&mut self, id: &VersionId, version: &Version) -> Result<BTreeMap<Table, Sum>> {
        let mut sums: BTreeMap<Table, Sum> = BTreeMap::new();
        let Some(added) = self.versions.get(id).cloned() else { return Ok(sums) };
        let hex = id.to_hex();
        let mut parents = 0;
        for (ordinal, parent) in (0_i64..).zip(&version.parents) {
            // A version that came back from an archive may not know its parents here.
            let known = self.versions.get(parent).filter(|parent| parent.at < added.at);
            if let Some(known) = known {
                parents = parents.max(known.generation);
                let row = row!(Parent; &hex, ordinal, parent.to_hex());
                sums.entry(Table::Parent).or_default().add(&row.cells);
            }
        }
        let generation = parents + 1;
        let row = row!(Version;
            &hex, version.manifest.to_hex(), &version.author.name, &version.author.email,
            version.time.unix(), version.utc_offset_minutes.map(i64::from), &version.message,
            signed("the number of files", version.files)?,
            signed("the size of a version", version.bytes)?,
            generation, added.dataset.as_ref().map(|name| name.as_str()),
            signed("the number of a journal entry", added.at.0)?,
        );
        sums.insert(Table::Version, Sum::of(&row.cells));
        for row in rows::of_version(id, version)? {
            sums.entry(row.table).or_default().add(&row.cells);
        }
        if let Some(added) = self.versions.get_mut(id) {
            added.generation = generation;
        }
        Ok(sums)
    }
}
