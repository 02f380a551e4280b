//! What the journal itself has of erased content: who acted, and what was said then.
//!
//! Here: which windows stand in entries that follow from each other, and how a certificate names
//! these entries. An entry cannot change without all that follow, so what it says stays.
//! Not here: the files that repeat what entries say (`verify`).
//! Invariant: a window is told only of an entry whose whole chain holds, and every entry is named.

use std::collections::{BTreeSet, HashMap};
use std::ops::RangeInclusive;

use serde_json::Value;

use super::canary::{Canaries, Window};
use crate::catalogue::{Catalogue, JournalEntry};
use crate::ops::Result;

/// So many runs of entries are named one by one; the rest as one that holds them all.
const MOST_RUNS: usize = 32;
/// So many verbs are named.
const MOST_VERBS: usize = 8;
/// What stands before and behind the numbers in a certificate.
const BEFORE: &str = " windows of the content stand in entries ";
const BEHIND: &str = " of the journal ";

/// The windows that stand in entries, and in which.
#[derive(Debug, Default)]
pub(super) struct Told {
    windows: HashMap<Window, BTreeSet<u64>>,
    verbs: HashMap<u64, String>,
}

/// The entries that have a part of the content.
#[derive(Debug, Default)]
pub(super) struct InJournal {
    /// Their numbers.
    pub(super) entries: BTreeSet<u64>,
    /// How many windows stand in them.
    windows: u64,
    /// What they did.
    verbs: BTreeSet<String>,
}

impl Told {
    /// Looks through the journal up to entry `last`, or all of it.
    pub(super) fn read(
        catalogue: &Catalogue,
        canaries: &Canaries,
        last: Option<u64>,
    ) -> Result<Self> {
        let mut told = Self::default();
        if canaries.len() > 0 {
            catalogue.check_journal(&mut |entry| {
                if last.is_none_or(|last| entry.number <= last) {
                    told.entry(entry, canaries);
                }
            })?;
        }
        Ok(told)
    }

    fn entry(&mut self, entry: &JournalEntry, canaries: &Canaries) {
        let line = entry.to_line();
        let mut found = canaries.find(line.as_bytes());
        // Tables have texts as they are, the journal's copy has them as JSON.
        if line.contains('\\')
            && let Ok(value) = serde_json::from_str(&line)
        {
            each_text(&value, &mut |text| found.extend(canaries.find(text.as_bytes())));
        }
        for window in found {
            self.windows.entry(window).or_default().insert(entry.number);
            self.verbs.entry(entry.number).or_insert_with(|| entry.action.clone());
        }
    }

    pub(super) fn has(&self, window: &Window) -> bool {
        self.windows.contains_key(window)
    }

    /// Every window that stands in an entry.
    pub(super) fn windows(&self) -> impl Iterator<Item = &Window> {
        self.windows.keys()
    }

    /// What has to be told of the windows that `counts`.
    pub(super) fn only(&self, counts: impl Fn(&Window) -> bool) -> InJournal {
        let mut all = InJournal::default();
        for (_, entries) in self.windows.iter().filter(|(window, _)| counts(window)) {
            all.windows += 1;
            all.entries.extend(entries);
        }
        let verbs = all.entries.iter().filter_map(|number| self.verbs.get(number));
        all.verbs = verbs.cloned().collect();
        all
    }
}

/// Hands on every text in a JSON document, names of fields too.
fn each_text(value: &Value, take: &mut impl FnMut(&str)) {
    match value {
        Value::String(text) => {
            take(text);
            // A document in a document: some actions keep what they say so.
            if text.contains('\\')
                && let Ok(inner @ (Value::Object(_) | Value::Array(_))) = serde_json::from_str(text)
            {
                each_text(&inner, take);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| each_text(item, take)),
        Value::Object(fields) => {
            for (name, value) in fields {
                take(name);
                each_text(value, take);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

impl InJournal {
    /// As a certificate says it; nothing if there is nothing to say.
    pub(super) fn words(&self) -> Option<String> {
        let mut runs: Vec<RangeInclusive<u64>> = Vec::new();
        for number in &self.entries {
            match runs.last_mut().filter(|run| run.end() + 1 == *number) {
                Some(run) => *run = *run.start()..=*number,
                None => runs.push(*number..=*number),
            }
        }
        if runs.len() > MOST_RUNS {
            let end = runs.last().map_or(0, |run| *run.end());
            runs.truncate(MOST_RUNS);
            runs[MOST_RUNS - 1] = *runs[MOST_RUNS - 1].start()..=end;
        }
        let run = |run: &RangeInclusive<u64>| match run.start() == run.end() {
            true => run.start().to_string(),
            false => format!("{}-{}", run.start(), run.end()),
        };
        let numbers: Vec<String> = runs.iter().map(run).collect();
        let mut verbs: Vec<&str> = self.verbs.iter().take(MOST_VERBS).map(String::as_str).collect();
        if self.verbs.len() > MOST_VERBS {
            verbs.push("and others");
        }
        (!runs.is_empty()).then(|| {
            format!(
                "{}{BEFORE}{}{BEHIND}({}): who acted and what was said then, which cannot change",
                self.windows,
                numbers.join(", "),
                verbs.join(", ")
            )
        })
    }

    /// The first entry that nothing in a certificate's list of what it does not prove names.
    pub(super) fn untold(&self, not_proven: &[String]) -> Option<u64> {
        let named: Vec<RangeInclusive<u64>> =
            not_proven.iter().filter_map(|text| named(text)).flatten().collect();
        let is_told = |number: &&u64| named.iter().any(|run| run.contains(number));
        self.entries.iter().find(|number| !is_told(number)).copied()
    }
}

/// The opposite of [`InJournal::words`].
fn named(text: &str) -> Option<Vec<RangeInclusive<u64>>> {
    let (_, rest) = text.split_once(BEFORE)?;
    let (numbers, _) = rest.split_once(BEHIND)?;
    let run = |part: &str| {
        let (start, end) = part.split_once('-').unwrap_or((part, part));
        Some(start.parse().ok()?..=end.parse().ok()?)
    };
    numbers.split(", ").map(run).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words_of(entries: impl IntoIterator<Item = u64>) -> (InJournal, String) {
        let entries = entries.into_iter().collect();
        let verbs = ["note".to_owned(), "hold".to_owned()].into();
        let all = InJournal { entries, windows: 3, verbs };
        let words = all.words().unwrap_or_default();
        (all, words)
    }

    #[test]
    fn what_is_named_is_told_and_nothing_else() {
        let (all, words) = words_of([2, 5, 6, 7, 11]);
        assert_eq!(
            words,
            "3 windows of the content stand in entries 2, 5-7, 11 of the journal (hold, note): who \
             acted and what was said then, which cannot change"
        );
        assert_eq!(all.untold(std::slice::from_ref(&words)), None);
        assert_eq!(all.untold(&[]), Some(2));
        assert_eq!(words_of([2, 6, 8]).0.untold(&[words]), Some(8));
        assert_eq!(words_of([]).1, "");
    }

    #[test]
    fn many_entries_are_named_in_few_words() {
        let (all, words) = words_of((1..5000).map(|number| number * 2));
        assert!(words.len() < 600, "{words}");
        assert!(words.contains("62, 64-9998 of"), "{words}");
        assert_eq!(all.untold(&[words]), None);
    }
}
