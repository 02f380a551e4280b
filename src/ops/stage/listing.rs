//! The listing of what is staged, made while files come in, in path order.
//!
//! Here: editing the old listing, or writing it anew where most of it is new.
//! Not here: where the files come from (`stage`).

use std::iter::Peekable;

use crate::format::manifest::{self, Builder, List};
use crate::model::{Entry, FileRef, ManifestId, RepoPath};
use crate::repo::{NodeSink, Nodes, Result, Session};

/// The change of a listing. Paths are given in order.
pub(super) struct Listing<'a> {
    session: &'a Session<'a>,
    old: ManifestId,
    /// Paths that go, in order.
    gone: std::slice::Iter<'a, RepoPath>,
    way: Way<'a>,
}

enum Way<'a> {
    /// Few changes: only nodes on the way to one are written.
    Edit(Vec<(RepoPath, Option<FileRef>)>),
    /// As many files come as there are: a list of edits would take more memory than reading the old
    /// listing takes time.
    Write(Box<Writing<'a>>),
}

struct Writing<'a> {
    builder: Builder<NodeSink<'a>>,
    old: Peekable<List<Nodes<'a>>>,
    changed: bool,
}

/// The change of `old` by up to `coming` files, without the paths `gone` (in order).
pub(super) fn begin<'a>(
    session: &'a Session<'a>,
    old: ManifestId,
    gone: &'a [RepoPath],
    coming: usize,
) -> Result<Listing<'a>> {
    let nodes = session.nodes();
    let way = if manifest::summary(&nodes, &old)?.files <= coming as u64 {
        let old = manifest::list(nodes, &old, b"")?.peekable();
        Way::Write(Box::new(Writing { builder: session.begin_manifest(), old, changed: false }))
    } else {
        Way::Edit(Vec::new())
    };
    Ok(Listing { session, old, gone: gone.iter(), way })
}

impl Listing<'_> {
    /// `path` is this file from now on.
    pub(super) fn put(&mut self, path: &RepoPath, file: FileRef) -> Result<()> {
        self.drop_before(Some(path))?;
        match &mut self.way {
            Way::Edit(edits) => edits.push((path.clone(), Some(file))),
            Way::Write(writing) => {
                writing.keep_before(Some(path))?;
                writing.skip(path)?;
                writing.changed = true;
                writing.builder.push(path, &file)?;
            }
        }
        Ok(())
    }

    /// The listing, stored.
    pub(super) fn finish(mut self) -> Result<ManifestId> {
        self.drop_before(None)?;
        match self.way {
            Way::Edit(edits) => self.session.edit_manifest(&self.old, &edits),
            Way::Write(mut writing) if writing.changed => {
                writing.keep_before(None)?;
                writing.builder.finish()
            }
            Way::Write(_) => Ok(self.old),
        }
    }

    /// Takes out the paths that go and lie before `end`.
    fn drop_before(&mut self, end: Option<&RepoPath>) -> Result<()> {
        while let Some(path) = self.gone.as_slice().first()
            && end.is_none_or(|end| path < end)
        {
            self.gone.next();
            match &mut self.way {
                Way::Edit(edits) => edits.push((path.clone(), None)),
                Way::Write(writing) => {
                    writing.keep_before(Some(path))?;
                    writing.changed |= writing.skip(path)?;
                }
            }
        }
        Ok(())
    }
}

impl Writing<'_> {
    /// Takes over what lies before `end`.
    fn keep_before(&mut self, end: Option<&RepoPath>) -> Result<()> {
        let before = |entry: &Result<Entry>| match entry {
            Ok(entry) => end.is_none_or(|end| entry.path < *end),
            Err(_) => true,
        };
        while let Some(entry) = self.old.next_if(before) {
            let Entry { path, file } = entry?;
            self.builder.push(&path, &file)?;
        }
        Ok(())
    }

    /// Leaves out the next entry if it is the one of `path`; whether it was.
    fn skip(&mut self, path: &RepoPath) -> Result<bool> {
        match self.old.next_if(|entry| entry.as_ref().map_or(true, |entry| entry.path == *path)) {
            Some(entry) => entry.map(|_| true),
            None => Ok(false),
        }
    }
}
