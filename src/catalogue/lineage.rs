//! Reading what versions come from and what became of them, and facts about files.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::future::poll_fn;
use std::sync::Arc;

use super::effects::cycle;
use super::error::failed;
use super::read::{moment, optional, parsed, unsigned};
use super::sql::versions::BATCH;
use super::{Catalogue, Error, Result, sql};
use crate::model::{DatasetName, FileId, Time, VersionId};

/// The greatest distance that is walked to in SQL; farther ways are walked to their end.
const SHORT: u32 = 8;

/// Which way a walk goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Toward {
    /// To what versions were made from.
    Origins,
    /// To what was made from versions.
    Results,
}

/// Where a walk begins: at all of these together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seeds {
    /// Versions.
    pub versions: Vec<VersionId>,
    /// The versions that name this source.
    pub source: Option<String>,
    /// The versions that this consumer has used.
    pub consumer: Option<String>,
}

/// A version on the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownVersion {
    /// Its id.
    pub id: VersionId,
    /// The dataset it was made in, where that is recorded.
    pub dataset: Option<DatasetName>,
    /// What its author says of it.
    pub message: String,
    /// When it was made.
    pub time: Time,
    /// When the catalogue was told of it.
    pub known: Option<Time>,
}

/// Something that a version, or a record about it, says of its origin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// The version.
    pub version: VersionId,
    /// The entry of the journal that said it; 0 if the version itself does.
    pub number: u64,
    /// When it was said; none if the version itself says it.
    pub said: Option<Time>,
    /// What is said.
    pub what: Linked,
}

/// What a [`Link`] says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Linked {
    /// It continues a version.
    Parent(VersionId),
    /// It was made from a version.
    Derived {
        /// Which one.
        from: VersionId,
        /// The name of the dataset that it was looked for in.
        dataset: Arc<str>,
        /// By what; `used` for an input of a step.
        how: Arc<str>,
        /// The step that used it.
        step: Option<u64>,
    },
    /// A step has made it.
    Step {
        /// Its place among the steps of the version or of the entry.
        ordinal: u64,
        /// What it is called.
        name: String,
        /// When it was done.
        time: Option<Time>,
    },
    /// It holds what was taken from a source.
    Source {
        /// The source.
        uri: String,
        /// Who provides it.
        provider: Option<String>,
        /// When it was taken.
        time: Option<Time>,
    },
    /// A consumer has used it.
    Used {
        /// Its name.
        consumer: String,
        /// Model, evaluation or export.
        kind: String,
        /// As what.
        role: String,
    },
}

/// What a walk has found: every version that it reaches, and what they say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Walked {
    /// The versions; one may stand here more than once.
    pub versions: Vec<KnownVersion>,
    /// The steps that made them; one may stand here more than once.
    pub steps: Vec<Link>,
    /// What else they and records say; one may stand here more than once.
    pub links: Vec<Link>,
}

/// The columns of `sql::lineage`: tag, version, number, ordinal, other, name, extra, time, said, and of
/// a version its derivations. A version's dataset stands in `other`, its message in `name`, and its
/// parents or children in `extra`.
type Row = (
    String,
    String,
    Option<i64>,
    Option<i64>,
    Option<String>,
    Option<String>,
    Option<String>,
    Option<i64>,
    Option<i64>,
    Option<String>,
);

fn time(seconds: Option<i64>) -> Result<Option<Time>> {
    seconds.map(|seconds| moment("a time", seconds)).transpose()
}

/// Texts that many links have, each kept once.
#[derive(Default)]
struct Words(HashSet<Arc<str>>);

impl Words {
    fn keep(&mut self, word: &str) -> Arc<str> {
        if let Some(known) = self.0.get(word) {
            return Arc::clone(known);
        }
        let word: Arc<str> = word.into();
        self.0.insert(Arc::clone(&word));
        word
    }
}

/// A derivation in JSON: the other version, number, step, relation, dataset, time.
#[derive(serde::Deserialize)]
struct Derived<'a>(
    &'a str,
    u64,
    Option<i64>,
    #[serde(borrow)] Cow<'a, str>,
    #[serde(borrow)] Cow<'a, str>,
    Option<i64>,
);

fn odd(error: &serde_json::Error) -> Error {
    Error::BadRow { what: format!("a list of links: {error}") }
}

/// The later and the earlier of a version and one that the walk goes to.
fn ordered(here: VersionId, far: VersionId, toward: Toward) -> (VersionId, VersionId) {
    match toward {
        Toward::Origins => (here, far),
        Toward::Results => (far, here),
    }
}

impl Walked {
    fn add(&mut self, row: Row, toward: Toward, words: &mut Words) -> Result<()> {
        let (tag, version, number, ordinal, other, name, extra, at, said, derivations) = row;
        let missing = || Error::BadRow { what: format!("a row of lineage ({tag}) lacks a part") };
        let id: VersionId = parsed("a version", &version)?;
        if tag == "version" {
            // Something may name a version that is not here.
            if let Some(time) = time(at)? {
                let dataset = other.map(|text| parsed("version.dataset", &text)).transpose()?;
                let (message, known) = (name.unwrap_or_default(), self::time(said)?);
                self.versions.push(KnownVersion { id, dataset, message, time, known });
            }
            self.parents(id, &extra.ok_or_else(missing)?, toward)?;
            return self.derivations(id, &derivations.ok_or_else(missing)?, toward, words);
        }
        let number = unsigned("a number", number.unwrap_or_default())?;
        let ordinal = ordinal.map(|ordinal| unsigned("an ordinal", ordinal)).transpose()?;
        let what = match tag.as_str() {
            "step" => Linked::Step {
                ordinal: ordinal.ok_or_else(missing)?,
                name: name.ok_or_else(missing)?,
                time: time(at)?,
            },
            "source" => {
                Linked::Source { uri: other.ok_or_else(missing)?, provider: name, time: time(at)? }
            }
            _ => Linked::Used {
                consumer: other.ok_or_else(missing)?,
                kind: extra.unwrap_or_default(),
                role: name.ok_or_else(missing)?,
            },
        };
        let said = time(said)?;
        let links = match what {
            Linked::Step { .. } => &mut self.steps,
            _ => &mut self.links,
        };
        links.push(Link { version: id, number, said, what });
        Ok(())
    }

    /// What the version continues, or what continues it.
    fn parents(&mut self, id: VersionId, list: &str, toward: Toward) -> Result<()> {
        let list: Vec<&str> = serde_json::from_str(list).map_err(|e| odd(&e))?;
        for far in list {
            let far = parsed("version_parent", far)?;
            let (version, parent) = ordered(id, far, toward);
            let what = Linked::Parent(parent);
            self.links.push(Link { version, number: 0, said: None, what });
        }
        Ok(())
    }

    /// What the version was made from, or what was made from it.
    fn derivations(
        &mut self,
        id: VersionId,
        list: &str,
        toward: Toward,
        words: &mut Words,
    ) -> Result<()> {
        let list: Vec<Derived<'_>> = serde_json::from_str(list).map_err(|e| odd(&e))?;
        for Derived(far, number, step, how, dataset, at) in list {
            let far = parsed("derivation", far)?;
            let (version, from) = ordered(id, far, toward);
            // The time of what the version itself says is its author's and not the journal's.
            let said = time(at.filter(|_| number > 0))?;
            let step = step.map(|ordinal| unsigned("an ordinal", ordinal)).transpose()?;
            let (dataset, how) = (words.keep(&dataset), words.keep(&how));
            let what = Linked::Derived { from, dataset, how, step };
            self.links.push(Link { version, number, said, what });
        }
        Ok(())
    }
}

impl Catalogue {
    /// What the seeds were made from or what became of them, `depth` versions far; to the end
    /// without it, and where it is large. The seeds belong to the answer.
    ///
    /// # Errors
    ///
    /// When the tables cannot be read.
    pub fn walk(&self, seeds: &Seeds, toward: Toward, depth: Option<u32>) -> Result<Walked> {
        let short = depth.filter(|depth| *depth <= SHORT);
        let text = match (toward, short) {
            (Toward::Origins, None) => sql::lineage::UP,
            (Toward::Origins, Some(_)) => sql::lineage::UP_SOME,
            (Toward::Results, None) => sql::lineage::DOWN,
            (Toward::Results, Some(_)) => sql::lineage::DOWN_SOME,
        };
        let mut batches: Vec<&[VersionId]> = seeds.versions.chunks(BATCH).collect();
        if batches.is_empty() {
            batches.push(&[]);
        }
        let (mut found, mut words) = (Walked::default(), Words::default());
        self.snapshot(async |connection| {
            for batch in batches {
                let mut query = sqlx::query_as(text);
                for place in 0..BATCH {
                    query = query.bind(batch.get(place).map(VersionId::to_hex));
                }
                query = query.bind(seeds.source.as_deref()).bind(seeds.consumer.as_deref());
                if let Some(depth) = short {
                    query = query.bind(i64::from(depth));
                }
                // Rows are read while the database's thread looks for the next ones.
                let mut rows = query.fetch(&mut *connection);
                while let Some(row) = poll_fn(|context| rows.as_mut().poll_next(context)).await {
                    found.add(row.map_err(failed("walk the lineage"))?, toward, &mut words)?;
                }
            }
            Ok(())
        })?;
        Ok(found)
    }

    /// The way round, each version used for the next, from `version` back to it, if it were made from
    /// `origins`; none if that closes no circle.
    ///
    /// # Errors
    ///
    /// When the tables cannot be read.
    pub fn cycle(
        &self,
        version: &VersionId,
        origins: &[VersionId],
    ) -> Result<Option<Vec<VersionId>>> {
        self.snapshot(async |connection| cycle(connection, version, origins).await)
    }

    /// Of every version the dataset that it was made in, where that is recorded, and the entry of
    /// the journal that added it.
    ///
    /// # Errors
    ///
    /// When the table cannot be read.
    pub fn version_origins(&self) -> Result<Vec<(VersionId, Option<DatasetName>, u64)>> {
        let rows: Vec<(String, Option<String>, i64)> = self.run(async |connection| {
            sqlx::query_as(sql::versions::ORIGINS)
                .fetch_all(connection)
                .await
                .map_err(failed("read where versions were made"))
        })?;
        let row = |(id, dataset, number): (String, Option<String>, i64)| {
            let dataset = optional("version.dataset", dataset.as_deref())?;
            Ok((parsed("version.id", &id)?, dataset, unsigned("version.number", number)?))
        };
        rows.into_iter().map(row).collect()
    }

    /// Whether any version names the source.
    ///
    /// # Errors
    ///
    /// When the table cannot be read.
    pub fn has_source(&self, uri: &str) -> Result<bool> {
        self.is_there(sql::lineage::HAS_SOURCE, uri)
    }

    /// Whether there is such a consumer.
    ///
    /// # Errors
    ///
    /// When the table cannot be read.
    pub fn has_consumer(&self, name: &str) -> Result<bool> {
        self.is_there(sql::lineage::HAS_CONSUMER, name)
    }

    fn is_there(&self, text: &'static str, key: &str) -> Result<bool> {
        let found: Option<i64> = self.run(async |connection| {
            sqlx::query_scalar(text)
                .bind(key)
                .fetch_optional(connection)
                .await
                .map_err(failed("look for a name"))
        })?;
        Ok(found.is_some())
    }

    /// What version `version` of `analyser` found in these files, as far as it is kept.
    ///
    /// # Errors
    ///
    /// When the table cannot be read.
    pub fn facts(
        &self,
        analyser: &str,
        version: u32,
        files: &[FileId],
    ) -> Result<HashMap<FileId, String>> {
        let rows: Vec<(String, String)> = self.snapshot(async |connection| {
            let mut rows = Vec::new();
            for batch in files.chunks(BATCH) {
                let mut query =
                    sqlx::query_as(sql::lineage::FACTS).bind(analyser).bind(i64::from(version));
                for place in 0..BATCH {
                    query = query.bind(batch.get(place).map(FileId::to_hex));
                }
                let some: Vec<(String, String)> =
                    query.fetch_all(&mut *connection).await.map_err(failed("read facts"))?;
                rows.extend(some);
            }
            Ok(rows)
        })?;
        rows.into_iter().map(|(file, body)| Ok((parsed("fact.file", &file)?, body))).collect()
    }

    /// Keeps what version `version` of `analyser` found. Facts are a cache of what the content
    /// says, so they are not in the journal, and a catalogue that was made again has none. Of files
    /// that were erased or replaced none are kept.
    ///
    /// # Errors
    ///
    /// [`Error::ReadOnly`]; when the table cannot be written.
    pub fn keep_facts(
        &self,
        analyser: &str,
        version: u32,
        facts: &[(FileId, String)],
    ) -> Result<()> {
        if !self.is_writable() {
            return Err(Error::ReadOnly { path: self.path().into() });
        }
        self.write(async |connection| {
            for (file, body) in facts {
                sqlx::query(sql::lineage::KEEP_FACT)
                    .bind(file.to_hex())
                    .bind(analyser)
                    .bind(i64::from(version))
                    .bind(body)
                    .execute(&mut *connection)
                    .await
                    .map_err(failed("keep a fact"))?;
            }
            Ok(())
        })
    }

    /// Takes away everything that was found in these files: for whoever erases them.
    ///
    /// # Errors
    ///
    /// As [`Catalogue::keep_facts`].
    pub fn forget_facts(&self, files: &[FileId]) -> Result<()> {
        if !self.is_writable() {
            return Err(Error::ReadOnly { path: self.path().into() });
        }
        self.write(async |connection| {
            for file in files {
                sqlx::query(sql::lineage::FORGET_FACTS)
                    .bind(file.to_hex())
                    .execute(&mut *connection)
                    .await
                    .map_err(failed("forget facts"))?;
            }
            Ok(())
        })
    }
}
