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
        let goes = |place: usize| match (changes[place].new, standings[place]) {
            (None, Standing::Recorded(_)) => {
                changes[place].old.filter(|file| file.mode != Mode::Symlink)
            }
            _ => None,
        };
        let comes =
            |place: usize| changes[place].new.filter(|_| standings[place] == Standing::Free);
        // By content, and where several have the same in path order.
        let sorted = |file: &dyn Fn(usize) -> Option<FileRef>| {
            let mut found: Vec<(FileRef, usize)> =
                (0..changes.len()).filter_map(|place| Some((file(place)?, place))).collect();
            found.sort_unstable();
            found
        };
        if !(0..changes.len()).any(|place| goes(place).is_some()) {
            return Self::default();
        }
        let coming = sorted(&comes);
        if coming.is_empty() {
            return Self::default();
        }
        let mut going = sorted(&goes).into_iter().peekable();
        let mut pairs = Vec::new();
        for (file, to) in coming {
            while going.next_if(|(other, _)| *other < file).is_some() {}
            if let Some((_, from)) = going.next_if(|(other, _)| *other == file)
                && let Standing::Recorded(stat) = standings[from]
            {
                pairs.push((from, to, stat));
            }
        }
        pairs.sort_unstable_by_key(|&(_, to, _)| to);
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
