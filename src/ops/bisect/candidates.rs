//! The versions that may be the first bad one, and which of them to try next.

use std::collections::{HashMap, HashSet};

use super::State;
use crate::catalogue::VersionRow;
use crate::model::VersionId;
use crate::ops::{Error, Result};
use crate::repo::Repository;

/// What to try next.
pub(super) struct Next {
    /// How many versions may be the first bad one.
    pub(super) left: u64,
    /// How many more answers it takes, about.
    pub(super) steps: u32,
    /// The version to try; none if there is none.
    pub(super) choice: Option<VersionId>,
    /// Where only skipped versions are left besides the bad one: all of them.
    pub(super) undecided: Vec<VersionId>,
}

/// Chooses the next version to try.
pub(super) fn next(repository: &Repository, state: &State, bad: VersionId) -> Result<Next> {
    let rows = suspects(repository, state, bad)?;
    let counts = counts(&rows);
    let all = rows.len();
    let skipped: HashSet<VersionId> = state.skipped.iter().copied().collect();
    // The smaller part of the two that an answer leaves; among equal ones the newest, so that the
    // same question has the same answer.
    let rank = |row: &&VersionRow| {
        let count = counts[&row.id];
        (count.min(all - count), row.generation, row.id)
    };
    let untried = rows.iter().filter(|row| row.id != bad && !skipped.contains(&row.id));
    let choice = untried.max_by_key(rank).map(|row| row.id);
    let undecided = if choice.is_none() && all > 1 {
        rows.iter().map(|row| row.id).collect()
    } else {
        Vec::new()
    };
    let steps = all.next_power_of_two().trailing_zeros();
    Ok(Next { left: all as u64, steps, choice, undecided })
}

/// The bad version and those of its ancestors that are no ancestors of a good one, newest first.
fn suspects(repository: &Repository, state: &State, bad: VersionId) -> Result<Vec<VersionRow>> {
    let catalogue = &repository.catalogue;
    let mut innocent: HashSet<VersionId> = HashSet::new();
    for row in catalogue.history(&state.good)? {
        innocent.insert(row?.id);
    }
    if innocent.contains(&bad) {
        let what = format!("the bad version {bad} is, or comes before, a good one");
        return Err(Error::Refused(what));
    }
    let mut found = Vec::new();
    for row in catalogue.history(&[bad])? {
        let row = row?;
        if !innocent.contains(&row.id) {
            found.push(row);
        }
    }
    found.sort_by(|a, b| b.generation.cmp(&a.generation).then(a.id.cmp(&b.id)));
    Ok(found)
}

/// How many of `rows` (children first) each of them has for ancestors, itself counted.
fn counts(rows: &[VersionRow]) -> HashMap<VersionId, usize> {
    let parents: HashMap<VersionId, &[VersionId]> =
        rows.iter().map(|row| (row.id, row.parents.as_slice())).collect();
    let mut counts: HashMap<VersionId, usize> = HashMap::with_capacity(rows.len());
    for row in rows.iter().rev() {
        let inside: Vec<_> =
            row.parents.iter().filter(|parent| parents.contains_key(*parent)).collect();
        // One parent is one more than it; where lines come together they are walked.
        let count = match inside[..] {
            [] => 1,
            [only] => counts[only] + 1,
            _ => walk(row.id, &parents),
        };
        counts.insert(row.id, count);
    }
    counts
}

fn walk(from: VersionId, parents: &HashMap<VersionId, &[VersionId]>) -> usize {
    let mut seen = HashSet::from([from]);
    let mut open = vec![from];
    while let Some(id) = open.pop() {
        let inside = parents[&id].iter().filter(|parent| parents.contains_key(*parent));
        open.extend(inside.filter(|parent| seen.insert(**parent)));
    }
    seen.len()
}
