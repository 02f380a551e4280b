//! Which pack holds an object.
//!
//! Here: the packs that the catalogue lists, and looking a key up in them, through tables over
//! many packs where there are some and through each pack's own table where not.
//! Not here: the list itself (`catalogue`), making tables over many packs (`maintain`).
//! Invariant: the answer does not depend on which tables over many packs exist.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use super::error::Error;
use super::index::IndexTable;
use super::medium::{INDEX, Medium, join};
use super::packs::{Files, Pack, PackInfo};
use crate::format::frame::Key;
use crate::model::PackName;

/// A place where an object may lie.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) pack: Arc<Pack>,
    pub(super) offset: u32,
}

/// One member of the view.
#[derive(Debug)]
struct Member {
    pack: Arc<Pack>,
    /// New data may rely on what it holds: it is live, not condemned.
    lasting: bool,
}

/// The packs that may be read, as of one moment.
#[derive(Debug, Default)]
pub(super) struct View {
    members: Vec<Member>,
    by_name: HashMap<PackName, u32>,
    tables: OnceLock<Tables>,
}

/// How the members are searched.
#[derive(Debug)]
struct Tables {
    wide: Vec<Wide>,
    /// Members that no table in `wide` covers.
    loose: Vec<u32>,
}

/// A table over many packs, and which member each of its packs is, if it is one.
#[derive(Debug)]
struct Wide {
    table: Arc<IndexTable>,
    members: Vec<Option<u32>>,
}

impl View {
    /// A view of these packs. Packs that `before` knows already keep what was read of them.
    pub(super) fn new(live: Vec<PackInfo>, condemned: Vec<PackInfo>, before: &Self) -> Self {
        let mut view = Self::default();
        let all = live.into_iter().map(|info| (info, true));
        for (info, lasting) in all.chain(condemned.into_iter().map(|info| (info, false))) {
            if view.by_name.contains_key(&info.name) {
                continue;
            }
            view.by_name.insert(info.name, view.members.len() as u32);
            let pack = match before.pack(info.name) {
                Some(pack) if pack.info == info && !pack.is_unusable() => Arc::clone(pack),
                _ => Arc::new(Pack::new(info)),
            };
            view.members.push(Member { pack, lasting });
        }
        view
    }

    /// The same packs, with only those that `lasting` accepts for new data to rely on, and with
    /// the tables over many packs read anew.
    pub(super) fn narrowed(&self, lasting: impl Fn(PackName) -> bool) -> Self {
        let members = self.members.iter().map(|member| Member {
            pack: Arc::clone(&member.pack),
            lasting: member.lasting && lasting(member.pack.info.name),
        });
        Self { members: members.collect(), by_name: self.by_name.clone(), tables: OnceLock::new() }
    }

    /// The pack of that name.
    pub(super) fn pack(&self, name: PackName) -> Option<&Arc<Pack>> {
        self.by_name.get(&name).map(|number| &self.members[*number as usize].pack)
    }

    /// All packs.
    pub(super) fn packs(&self) -> impl Iterator<Item = &Arc<Pack>> {
        self.members.iter().map(|member| &member.pack)
    }

    /// The packs that no table over many packs covers.
    pub(super) fn loose(&self, medium: &dyn Medium) -> Vec<Arc<Pack>> {
        let loose = &self.tables(medium).loose;
        loose.iter().map(|number| Arc::clone(&self.members[*number as usize].pack)).collect()
    }

    /// The tables over many packs in use.
    pub(super) fn wide(&self, medium: &dyn Medium) -> Vec<Arc<IndexTable>> {
        self.tables(medium).wide.iter().map(|wide| Arc::clone(&wide.table)).collect()
    }

    /// A place of `key`.
    ///
    /// An error of one pack's table is reported only if no other pack has the key.
    pub(super) fn find(
        &self,
        key: &Key,
        medium: &dyn Medium,
        files: &Files,
    ) -> Result<Option<Place>, Error> {
        let tables = self.tables(medium);
        if let Some(place) = self.find_wide(tables, key, |_| true) {
            return Ok(Some(place));
        }
        self.find_in(tables.loose.iter().rev().copied(), key, files)
    }

    /// A place of `key` as its pack's own table has it, in a pack that `accepted` accepts: the
    /// slow way, for when a table over many packs was wrong or a frame is damaged.
    pub(super) fn find_slowly(
        &self,
        key: &Key,
        files: &Files,
        accepted: impl Fn(PackName) -> bool,
    ) -> Result<Option<Place>, Error> {
        let numbers = (0..self.members.len() as u32)
            .filter(|number| accepted(self.members[*number as usize].pack.info.name));
        self.find_in(numbers, key, files)
    }

    /// Whether new data may rely on `key` being there. A pack whose table cannot be read does not
    /// count as having it: writing it again heals what can be healed.
    pub(super) fn has_lasting(&self, key: &Key, medium: &dyn Medium, files: &Files) -> bool {
        if self.members.is_empty() {
            return false;
        }
        let tables = self.tables(medium);
        let lasting = |number: u32| self.members[number as usize].lasting;
        self.find_wide(tables, key, lasting).is_some()
            || tables.loose.iter().rev().copied().filter(|number| lasting(*number)).any(|number| {
                let pack = &self.members[number as usize].pack;
                !pack.is_unusable()
                    && pack.table(files).is_ok_and(|table| table.find(key).is_some())
            })
    }

    fn find_wide(
        &self,
        tables: &Tables,
        key: &Key,
        accepted: impl Fn(u32) -> bool,
    ) -> Option<Place> {
        tables.wide.iter().find_map(|wide| {
            wide.table.find(key).find_map(|(ordinal, offset)| {
                let number = wide.members.get(ordinal as usize).copied().flatten()?;
                let pack = Arc::clone(&self.members[number as usize].pack);
                accepted(number).then_some(Place { pack, offset })
            })
        })
    }

    fn find_in(
        &self,
        numbers: impl Iterator<Item = u32>,
        key: &Key,
        files: &Files,
    ) -> Result<Option<Place>, Error> {
        let mut failed = None;
        for number in numbers {
            let pack = &self.members[number as usize].pack;
            match pack.table(files) {
                Ok(table) => {
                    if let Some(offset) = table.find(key) {
                        return Ok(Some(Place { pack: Arc::clone(pack), offset }));
                    }
                }
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        failed.map_or(Ok(None), Err)
    }

    /// Reads which tables over many packs there are. They are caches: one that cannot be read or
    /// is damaged is as good as absent.
    fn tables(&self, medium: &dyn Medium) -> &Tables {
        self.tables.get_or_init(|| {
            let mut tables = Tables { wide: Vec::new(), loose: Vec::new() };
            let mut covered = vec![false; self.members.len()];
            // A few packs are searched as fast without.
            if self.members.len() > 1 {
                let names = medium.list(INDEX).unwrap_or_default();
                let found = names
                    .iter()
                    .filter_map(|name| IndexTable::open(medium, &join(INDEX, name)).ok());
                let mut found: Vec<_> = found.collect();
                found.sort_by_key(|table| std::cmp::Reverse(table.len()));
                for table in found {
                    self.adopt(table, &mut tables, &mut covered);
                }
            }
            tables.loose =
                (0..).zip(&covered).filter(|(_, covered)| !**covered).map(|(n, _)| n).collect();
            tables
        })
    }

    /// Takes a table into use if it covers a member that no table before it covers.
    fn adopt(&self, table: IndexTable, tables: &mut Tables, covered: &mut [bool]) {
        let members: Vec<_> =
            table.packs().iter().map(|name| self.by_name.get(name).copied()).collect();
        if members.iter().flatten().all(|number| covered[*number as usize]) {
            return;
        }
        members.iter().flatten().for_each(|number| covered[*number as usize] = true);
        tables.wide.push(Wide { table: Arc::new(table), members });
    }
}
