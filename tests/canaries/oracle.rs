//! What must be true, from the bytes alone: what each file becomes, and what must stand nowhere.

use std::collections::{BTreeMap, BTreeSet};

use stemmata::model::FileId;

use super::content::{mail, needles, row};

/// What became of the record of a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Dropped,
    Redacted,
}

#[derive(Debug, Default)]
pub(crate) struct Oracle {
    /// Every content that was ever written.
    contents: BTreeMap<FileId, Vec<u8>>,
    /// Contents that were erased whole.
    pub(crate) erased: BTreeSet<FileId>,
    /// Contents that were replaced, and by what.
    pub(crate) replaced: BTreeMap<FileId, FileId>,
    /// What must stand nowhere any more.
    pub(crate) needles: BTreeSet<String>,
}

impl Oracle {
    pub(crate) fn learn(&mut self, bytes: Vec<u8>) -> FileId {
        let file = FileId::of(&bytes);
        self.contents.insert(file, bytes);
        file
    }

    /// What a reader is given; nothing if it was erased.
    pub(crate) fn given(&self, file: &FileId) -> Option<(FileId, &[u8])> {
        let mut now = *file;
        while let Some(next) = self.replaced.get(&now) {
            now = *next;
        }
        let bytes = self.contents.get(&now).expect("a content that was written by somebody");
        (!self.erased.contains(&now)).then_some((now, &bytes[..]))
    }

    /// Whether a content may not come back.
    pub(crate) fn is_gone(&self, file: &FileId) -> bool {
        self.erased.contains(file) || self.replaced.contains_key(file)
    }

    /// Whether a content holds something that was erased.
    pub(crate) fn holds_erased(&self, bytes: &[u8]) -> bool {
        self.needles.iter().any(|needle| memchr::memmem::find(bytes, needle.as_bytes()).is_some())
    }

    /// Notes that these contents are erased whole.
    pub(crate) fn erase(&mut self, files: &BTreeSet<FileId>) {
        for needle in needles() {
            let holds = |file: &FileId| {
                memchr::memmem::find(&self.contents[file], needle.as_bytes()).is_some()
            };
            if files.iter().any(holds) {
                self.needles.insert(needle);
            }
        }
        self.erased.extend(files);
    }

    /// What a content becomes without a record; nothing if it does not have it.
    pub(crate) fn without(&self, file: &FileId, id: u32, fate: Fate) -> Option<Vec<u8>> {
        let text = String::from_utf8(self.contents[file].clone()).ok()?;
        let lines: String = text
            .split_inclusive('\n')
            .map(|line| match [true, false].into_iter().find(|csv| is_record(line, *csv, id)) {
                None => line.to_owned(),
                Some(_) if fate == Fate::Dropped => String::new(),
                Some(csv) => row(csv, id, None),
            })
            .collect();
        (lines != text).then(|| lines.into_bytes())
    }

    /// Notes that a content is replaced by another.
    pub(crate) fn replace(&mut self, file: FileId, bytes: Vec<u8>) {
        let by = self.learn(bytes);
        self.replaced.insert(file, by);
    }

    pub(crate) fn record_is_gone(&mut self, id: u32) {
        self.needles.insert(mail(id));
    }
}

fn is_record(line: &str, csv: bool, id: u32) -> bool {
    line == row(csv, id, Some(&mail(id))) || line == row(csv, id, None)
}
