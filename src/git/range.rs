//! Which commits a text such as `main ^v1 v2..dev` means.

use gix::objs::Kind;
use gix::revision::plumbing::Spec;

use super::{Error, GitId, Reader};

/// Where histories begin that are wanted, and that are not.
#[derive(Debug, Default)]
pub(super) struct Range {
    /// Commits whose history is wanted.
    pub(super) wanted: Vec<GitId>,
    /// Commits whose history is not.
    pub(super) hidden: Vec<GitId>,
}

impl Range {
    /// Understands what `git rev-list` does, several words with white space between them: `main`,
    /// `v1..v2`, `a...b`, `^old`, `x^@`, `x^!`.
    pub(super) fn parse(reader: &mut Reader, text: &str) -> Result<Self, Error> {
        let mut range = Self::default();
        for word in text.split_whitespace() {
            range.add(reader, word)?;
        }
        if range.wanted.is_empty() {
            return Err(wrong(reader, text, "it says only what to leave out"));
        }
        Ok(range)
    }

    fn add(&mut self, reader: &mut Reader, word: &str) -> Result<(), Error> {
        let parsed = reader.repository.rev_parse(word).map(|spec| spec.detach());
        match parsed.map_err(|source| wrong(reader, word, source))? {
            Spec::Include(id) => self.wanted.push(commit(reader, word, id)?),
            Spec::Exclude(id) => self.hidden.push(commit(reader, word, id)?),
            Spec::Range { from, to } => {
                self.hidden.push(commit(reader, word, from)?);
                self.wanted.push(commit(reader, word, to)?);
            }
            Spec::Merge { theirs, ours } => {
                let (theirs, ours) = (commit(reader, word, theirs)?, commit(reader, word, ours)?);
                let bases = reader.repository.merge_bases_many(theirs.0, &[ours.0]);
                let bases = bases.map_err(|source| wrong(reader, word, source))?;
                self.hidden.extend(bases.into_iter().map(|id| GitId(id.detach())));
                self.wanted.extend([theirs, ours]);
            }
            Spec::IncludeOnlyParents(id) => {
                let id = commit(reader, word, id)?;
                self.wanted.extend(reader.commit(id)?.parents);
            }
            Spec::ExcludeParents(id) => {
                let id = commit(reader, word, id)?;
                self.hidden.extend(reader.commit(id)?.parents);
                self.wanted.push(id);
            }
        }
        Ok(())
    }
}

fn commit(reader: &Reader, word: &str, id: gix::ObjectId) -> Result<GitId, Error> {
    match reader.follow_tags(GitId(id))? {
        (id, Kind::Commit, _) => Ok(id),
        (_, kind, _) => Err(wrong(reader, word, format!("it is a {kind}"))),
    }
}

fn wrong(
    reader: &Reader,
    text: &str,
    source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> Error {
    Error::Revision { text: text.into(), path: reader.path.clone(), source: source.into() }
}
