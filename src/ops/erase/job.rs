//! What a run keeps beside its plan: the salt, the ids that go, the windows that are looked for.
//!
//! The file is written before anything changes, so a run that was stopped goes on with it, and an
//! auditor in the same house can check again. Only its owner may read it.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use super::canary::{Canaries, Window};
use crate::format::canonical;
use crate::format::frame::Key;
use crate::format::kind::Kind;
use crate::model::{ChunkId, Time};
use crate::ops::{Error, Result};
use crate::repo::Repository;
use crate::sign::commitment::Salt;

const SCHEMA: &str = "stem.erase-job/2";

/// A part of a run, and when it began and ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Phase {
    /// `freeze`, `rewrite`, `scrub` or `verify`.
    pub name: String,
    /// When it began first.
    pub start: Time,
    /// When it ended last.
    pub end: Time,
}

/// What a run keeps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Job {
    schema: String,
    pub(super) plan: String,
    salt: String,
    chunks: Vec<String>,
    recipes: Vec<String>,
    parts: Vec<String>,
    windows: Vec<(String, String)>,
    /// Chunks too short or too plain for a window.
    pub(super) unwatched: u64,
    pub(super) phases: Vec<Phase>,
    /// Files of worktrees that were removed, and those that were found otherwise.
    pub(super) worktree_files: u64,
}

fn file_of(plan: &str) -> String {
    format!("{plan}.secret")
}

impl Job {
    pub(super) fn new(plan: &str, salt: &Salt, keys: &HashSet<Key>, canaries: &Canaries) -> Self {
        let of = |kind| {
            let mine = keys.iter().filter(|key| key.kind == kind);
            let mut ids: Vec<String> = mine.map(|key| hex(&key.id)).collect();
            ids.sort_unstable();
            ids
        };
        let windows = canaries.windows();
        let show = |(rolling, hash): &Window| (format!("{rolling:08x}"), hex(hash));
        Self {
            schema: SCHEMA.into(),
            plan: plan.to_owned(),
            salt: hex(salt.as_bytes()),
            chunks: of(Kind::Chunk),
            recipes: of(Kind::Recipe),
            parts: of(Kind::RecipePart),
            windows: windows.iter().map(show).collect(),
            unwatched: 0,
            phases: Vec::new(),
            worktree_files: 0,
        }
    }

    /// Reads what a run has kept; none if it never came so far.
    pub(super) fn load(repository: &Repository, plan: &str) -> Result<Option<Self>> {
        repository
            .papers(super::plan::PLANS)
            .read(&file_of(plan))?
            .map(|bytes| parse(&bytes))
            .transpose()
    }

    pub(super) fn save(&self, repository: &Repository) -> Result<()> {
        let bytes = canonical::encode(self)?;
        repository.papers(super::plan::PLANS).write(&file_of(&self.plan), &bytes)?;
        Ok(())
    }

    /// Every object that goes.
    pub(super) fn keys(&self) -> HashSet<Key> {
        let all = [
            (Kind::Chunk, &self.chunks),
            (Kind::Recipe, &self.recipes),
            (Kind::RecipePart, &self.parts),
        ];
        let each = |(kind, ids): (Kind, &Vec<String>)| {
            let keys = ids.iter().filter_map(move |id| Some(Key::new(kind, bytes(id)?)));
            keys.collect::<Vec<_>>()
        };
        all.into_iter().flat_map(each).collect()
    }

    pub(super) fn salt(&self) -> Salt {
        Salt::from_bytes(bytes(&self.salt).unwrap_or_default())
    }

    pub(super) fn canaries(&self) -> Canaries {
        let read = |(rolling, hash): &(String, String)| {
            Some((u32::from_str_radix(rolling, 16).ok()?, bytes(hash)?))
        };
        let windows: Vec<Window> = self.windows.iter().filter_map(read).collect();
        Canaries::with(&self.salt(), &windows)
    }

    /// Notes that a part of the run began at `start` and ends now.
    pub(super) fn note(&mut self, name: &str, start: Time, end: Time) {
        match self.phases.iter_mut().find(|phase| phase.name == name) {
            Some(phase) => phase.end = end,
            None => self.phases.push(Phase { name: name.to_owned(), start, end }),
        }
    }
}

/// Reads what a run has kept, strictly.
pub(super) fn parse(bytes: &[u8]) -> Result<Job> {
    let job: Job = canonical::decode("secret of a plan", bytes)
        .map_err(|error| Error::BadPlan(super::chain(&error)))?;
    if job.schema != SCHEMA {
        // Windows of another form would not be found anywhere.
        let schema = job.schema.escape_debug();
        return Err(Error::BadPlan(format!("what its run has kept is a `{schema}`")));
    }
    Ok(job)
}

fn hex(id: &[u8; 32]) -> String {
    ChunkId::from_bytes(*id).to_hex()
}

fn bytes(hex: &str) -> Option<[u8; 32]> {
    hex.parse::<ChunkId>().ok().map(|id| *id.as_bytes())
}
