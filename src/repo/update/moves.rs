//! Files that a version has elsewhere: they get another name, and nothing is read or written.

use std::collections::HashMap;

use super::Standing;
use crate::format::manifest::Change;
use crate::model::{FileRef, Mode};
use crate::worktree::Stat;
use crate::worktree::write::Hand;

/// Which files of a list of changes become which others.
#[derive(Debug, Default)]
pub(super) struct Moves {
    /// The places of both in the list, and how the first looks.
    pairs: Vec<(usize, usize, Stat)>,
}

impl Moves {
    /// Pairs each file that goes, and is as it was recorded, with one of the same content and kind
    /// that comes where nothing is. Links are left out: whether they may stand depends on where.
    pub(super) fn of(changes: &[Change], standings: &[Standing]) -> Self {
        let mut going: HashMap<FileRef, Vec<(usize, Stat)>> = HashMap::new();
        // From the end, so that of several the first is taken first.
        for (place, change) in changes.iter().enumerate().rev() {
            if let (None, Some(file), Standing::Recorded(stat)) =
                (change.new, change.old, standings[place])
                && file.mode != Mode::Symlink
            {
                going.entry(file).or_default().push((place, stat));
            }
        }
        let mut pairs = Vec::new();
        for (place, change) in changes.iter().enumerate() {
            if let Some(file) = change.new
                && standings[place] == Standing::Free
                && let Some((from, stat)) = going.get_mut(&file).and_then(Vec::pop)
            {
                pairs.push((from, place, stat));
            }
        }
        Self { pairs }
    }

    /// Renames what can be renamed just so. Returns the places of what has come, and how it looks.
    pub(super) fn make(&self, hand: &mut Hand<'_>, changes: &[Change]) -> HashMap<usize, Stat> {
        let taken = |&(from, to, ref stat): &(usize, usize, Stat)| {
            Some((to, hand.take_over(&changes[from].path, &changes[to].path, stat)?))
        };
        self.pairs.iter().filter_map(taken).collect()
    }
}
