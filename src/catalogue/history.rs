//! Walking through history: logs, common ancestors, who descends from whom.
//!
//! Rows are fetched in slabs of generations, so a walk costs one question per 256 generations, and
//! only the part of history that it reaches.

use std::collections::{BinaryHeap, HashMap, HashSet};

use super::error::failed;
use super::read::parsed;
use super::{Catalogue, Error, Result, VersionRow, sql};
use crate::model::{Time, VersionId};

/// How many generations are fetched at once after the first few.
const SLAB: u64 = 256;
/// How many are fetched the first time; it grows by 4 until it is [`SLAB`].
const FIRST_SLAB: u64 = 4;

/// A cache of rows around the place where a walk is.
struct Slabs<'a> {
    catalogue: &'a Catalogue,
    rows: HashMap<VersionId, VersionRow>,
    depth: u64,
}

impl<'a> Slabs<'a> {
    fn new(catalogue: &'a Catalogue) -> Self {
        Self { catalogue, rows: HashMap::new(), depth: FIRST_SLAB }
    }

    fn load(&mut self, ids: &[VersionId]) -> Result<()> {
        let missing: Vec<VersionId> =
            ids.iter().filter(|id| !self.rows.contains_key(id)).copied().collect();
        if missing.is_empty() {
            return Ok(());
        }
        let mut top = 0;
        for id in &missing {
            top = top.max(self.catalogue.known_version(id)?.generation);
        }
        let least = top.saturating_sub(self.depth);
        self.depth = (self.depth * 4).min(SLAB);
        for row in self.catalogue.ancestors_down_to(&missing, least)? {
            self.rows.insert(row.id, row);
        }
        Ok(())
    }

    fn row(&self, id: &VersionId) -> Result<&VersionRow> {
        self.rows.get(id).ok_or_else(|| Error::Unknown { what: format!("version {id}") })
    }
}

/// Versions in the order of a log; see [`Catalogue::history`].
pub struct History<'a> {
    slabs: Slabs<'a>,
    queue: BinaryHeap<(Time, u64, VersionId)>,
    seen: HashSet<VersionId>,
    failed: bool,
}

impl std::fmt::Debug for History<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("History").field("seen", &self.seen.len()).finish_non_exhaustive()
    }
}

impl History<'_> {
    fn enqueue(&mut self, ids: &[VersionId]) -> Result<()> {
        let new: Vec<VersionId> = ids.iter().filter(|id| self.seen.insert(**id)).copied().collect();
        self.slabs.load(&new)?;
        for id in new {
            let row = self.slabs.row(&id)?;
            self.queue.push((row.time, row.generation, id));
        }
        Ok(())
    }

    fn step(&mut self) -> Result<Option<VersionRow>> {
        let Some((_, _, id)) = self.queue.pop() else { return Ok(None) };
        let row = self.slabs.row(&id)?.clone();
        self.enqueue(&row.parents)?;
        self.slabs.rows.remove(&id);
        Ok(Some(row))
    }
}

impl Iterator for History<'_> {
    type Item = Result<VersionRow>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let step = self.step();
        self.failed = step.is_err();
        step.transpose()
    }
}

/// What a walk towards common ancestors knows of a version.
#[derive(Clone, Copy, Default)]
struct Paint {
    left: bool,
    right: bool,
    stale: bool,
}

/// A version, as far as its place in a log depends on it.
struct Line {
    time: i64,
    generation: u64,
    parents: Vec<VersionId>,
}

/// Reads a line of [`sql::versions::ANCESTOR_LINES`].
fn line(text: &str) -> Result<(VersionId, Line)> {
    let mut words = text.split(' ');
    let mut next = || words.next().unwrap_or_default();
    let id = parsed("version.id", next())?;
    let time = parsed("version.time", next())?;
    let generation = parsed("version.generation", next())?;
    let parents = words.map(|id| parsed("version_parent.parent", id)).collect::<Result<_>>()?;
    Ok((id, Line { time, generation, parents }))
}

impl Catalogue {
    /// These versions and all of their ancestors, each once, the newest first.
    ///
    /// Of versions of the same second a child comes before its parents. Only the rows that are
    /// asked for are read, and some around them.
    ///
    /// # Errors
    ///
    /// [`Error::Unknown`] if one of the versions is not known.
    pub fn history(&self, heads: &[VersionId]) -> Result<History<'_>> {
        let mut history = History {
            slabs: Slabs::new(self),
            queue: BinaryHeap::new(),
            seen: HashSet::new(),
            failed: false,
        };
        history.enqueue(heads)?;
        Ok(history)
    }

    /// The ids of [`Catalogue::history`], in the same order, at once: for who needs few of the
    /// rows and cannot say which before the end.
    ///
    /// # Errors
    ///
    /// [`Error::Unknown`] if one of the versions is not known.
    pub fn history_ids(&self, heads: &[VersionId]) -> Result<Vec<VersionId>> {
        let ids: Vec<String> = heads.iter().map(VersionId::to_hex).collect();
        let ids = serde_json::Value::from(ids).to_string();
        let text: String = self.run(async |connection| {
            sqlx::query_scalar(sql::versions::ANCESTOR_LINES)
                .bind(ids)
                .fetch_one(connection)
                .await
                .map_err(failed("read the history"))
        })?;
        let mut lines: HashMap<VersionId, Line> = HashMap::new();
        for text in text.lines() {
            let (id, line) = line(text)?;
            lines.insert(id, line);
        }
        let mut queue = BinaryHeap::new();
        let mut seen: HashSet<VersionId> = HashSet::new();
        let mut enqueue = |queue: &mut BinaryHeap<_>, ids: &[VersionId]| -> Result<()> {
            for id in ids.iter().filter(|id| seen.insert(**id)) {
                let unknown = || Error::Unknown { what: format!("version {id}") };
                let line = lines.get(id).ok_or_else(unknown)?;
                queue.push((line.time, line.generation, *id));
            }
            Ok(())
        };
        enqueue(&mut queue, heads)?;
        let mut ordered = Vec::with_capacity(lines.len());
        while let Some((_, _, id)) = queue.pop() {
            ordered.push(id);
            if let Some(line) = lines.get(&id) {
                enqueue(&mut queue, &line.parents)?;
            }
        }
        Ok(ordered)
    }

    /// Whether `ancestor` is `version` or one of its ancestors.
    ///
    /// # Errors
    ///
    /// [`Error::Unknown`] if one of the two is not known.
    pub fn is_ancestor(&self, ancestor: &VersionId, version: &VersionId) -> Result<bool> {
        let least = self.known_version(ancestor)?.generation;
        self.known_version(version)?;
        let reached = self.ancestors_down_to(&[*version], least)?;
        Ok(reached.iter().any(|row| row.id == *ancestor))
    }

    /// The common ancestors of two versions that are no ancestors of other common ancestors, in
    /// the order of their ids. One of the versions may be the answer.
    ///
    /// # Errors
    ///
    /// [`Error::Unknown`] if one of the two is not known.
    pub fn merge_bases(&self, left: &VersionId, right: &VersionId) -> Result<Vec<VersionId>> {
        let mut slabs = Slabs::new(self);
        slabs.load(&[*left, *right])?;
        let mut paints: HashMap<VersionId, Paint> = HashMap::new();
        let mut queue = BinaryHeap::new();
        paints.entry(*left).or_default().left = true;
        paints.entry(*right).or_default().right = true;
        for id in HashSet::from([*left, *right]) {
            queue.push((slabs.row(&id)?.generation, id));
        }
        let mut bases = Vec::new();
        // A version leaves the queue after all of its children, so its paint is final.
        while let Some((_, id)) = queue.pop() {
            let mut paint = paints.get(&id).copied().unwrap_or_default();
            if paint.left && paint.right {
                if !paint.stale {
                    bases.push(id);
                }
                paint.stale = true;
            }
            let parents = slabs.row(&id)?.parents.clone();
            slabs.load(&parents)?;
            for parent in parents {
                let known = paints.contains_key(&parent);
                let mixed = paints.entry(parent).or_default();
                mixed.left |= paint.left;
                mixed.right |= paint.right;
                mixed.stale |= paint.stale;
                if !known {
                    queue.push((slabs.row(&parent)?.generation, parent));
                }
            }
            let stale = |(_, id): &(u64, VersionId)| paints.get(id).is_some_and(|p| p.stale);
            if queue.iter().all(stale) {
                break;
            }
        }
        bases.sort_unstable();
        Ok(bases)
    }
}
