//! Recognising a record that is not kept: by salted hashes (`docs/format.md`, "Record
//! fingerprints").

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::model::Fingerprint;

use super::canonical::{Form, canonical};
use super::error::Error;
use super::json::{Node, Value, parse};
use super::number::Decimal;
use super::selector::{Key, Twins, at_path, each_scalar};
use super::trouble::Unreadable;

/// The fingerprint of a record under `salt`: of its canonical form, as [`super::Match`] has it.
///
/// It is the same in JSON, CSV and Parquet, whatever the order of fields and the white space.
pub fn fingerprint(salt: &[u8; 32], canonical: &[u8]) -> Fingerprint {
    Fingerprint::keyed(salt, &[b"record\0", canonical].concat())
}

/// The canonical form of a record given as JSON.
///
/// # Errors
///
/// If it is not JSON.
pub fn canonical_record(json: &str) -> Result<Vec<u8>, Error> {
    let node = parse(json.as_bytes()).map_err(|wrong| Error::Record {
        number: 1,
        at: wrong.at,
        problem: wrong.problem,
    })?;
    Ok(canonical(&node, Form::Fingerprint))
}

/// The fingerprint of a list of keys: records in which all of them hold are recognised.
///
/// The names of the fields are kept, the values only as salted hashes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyFingerprint {
    /// One for each key.
    pub parts: Vec<KeyPart>,
}

/// A field, and the hashes of the value that it has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyPart {
    /// The name, with dots.
    pub path: String,
    /// Of the value as text.
    pub text: Fingerprint,
    /// Of the value as number, if it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<Fingerprint>,
}

/// The fingerprint of `keys` under `salt`.
pub fn key_fingerprint(salt: &[u8; 32], keys: &[Key]) -> KeyFingerprint {
    let part = |key: &Key| KeyPart {
        path: key.path().to_owned(),
        text: hash_text(salt, key.path(), key.value()),
        number: key.number().map(|number| hash_number(salt, key.path(), number)),
    };
    KeyFingerprint { parts: keys.iter().map(part).collect() }
}

fn hash_text(salt: &[u8; 32], path: &str, value: &str) -> Fingerprint {
    Fingerprint::keyed(salt, &[b"text\0", path.as_bytes(), b"\0", value.as_bytes()].concat())
}

fn hash_number(salt: &[u8; 32], path: &str, value: &Decimal) -> Fingerprint {
    let value = value.exact();
    Fingerprint::keyed(salt, &[b"number\0", path.as_bytes(), b"\0", value.as_bytes()].concat())
}

/// Fingerprints under one salt, to be found in files.
#[derive(Debug, Clone)]
pub struct FingerprintSet {
    salt: [u8; 32],
    records: HashSet<Fingerprint>,
    keys: Vec<KeyFingerprint>,
    /// By path, the hashes of the first parts and which of `keys` begin so.
    first_parts: HashMap<String, HashMap<Fingerprint, Vec<usize>>>,
}

/// A record whose fingerprint is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hit {
    /// As in [`super::Match`].
    pub row: u64,
    /// As in [`super::Match`].
    pub bytes: Option<Range<u64>>,
    /// What was recognised.
    pub what: Known,
}

/// Which fingerprint a record has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known {
    /// That of the whole record.
    Record(Fingerprint),
    /// That of these keys, by their place in the list that was given.
    Key(usize),
}

/// What a file holds of the records that a set knows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Hits {
    /// The first ones, as many as were asked for; looking stops at the last of them.
    pub first: Vec<Hit>,
    /// Records that could not be read, among those looked at.
    pub unreadable: Unreadable,
}

impl FingerprintSet {
    /// The set of these fingerprints, which were made under `salt`. Keys without parts match
    /// nothing.
    pub fn new(
        salt: [u8; 32],
        records: impl IntoIterator<Item = Fingerprint>,
        keys: Vec<KeyFingerprint>,
    ) -> Self {
        let mut first_parts: HashMap<String, HashMap<Fingerprint, Vec<usize>>> = HashMap::new();
        for (index, key) in keys.iter().enumerate() {
            let Some(first) = key.parts.first() else { continue };
            let by_hash = first_parts.entry(first.path.clone()).or_default();
            for hash in std::iter::once(first.text).chain(first.number) {
                by_hash.entry(hash).or_default().push(index);
            }
        }
        Self { salt, records: records.into_iter().collect(), keys, first_parts }
    }

    /// Whether nothing can be found with it.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty() && self.first_parts.is_empty()
    }

    /// What is known of a record.
    pub(super) fn recognise(&self, record: &Node<'_>) -> Option<Known> {
        if !self.records.is_empty() {
            let print = fingerprint(&self.salt, &canonical(record, Form::Fingerprint));
            if self.records.contains(&print) {
                return Some(Known::Record(print));
            }
        }
        for (path, by_hash) in &self.first_parts {
            for hash in self.hashes(record, path) {
                let begun = by_hash.get(&hash).into_iter().flatten();
                let mut whole = begun.filter(|index| self.holds(record, &self.keys[**index]));
                if let Some(index) = whole.next() {
                    return Some(Known::Key(*index));
                }
            }
        }
        None
    }

    fn holds(&self, record: &Node<'_>, key: &KeyFingerprint) -> bool {
        key.parts.iter().all(|part| {
            let hashes = self.hashes(record, &part.path);
            hashes.iter().any(|hash| *hash == part.text || Some(*hash) == part.number)
        })
    }

    /// The hashes of all values at `path`, each as [`Key`] would compare it.
    fn hashes(&self, record: &Node<'_>, path: &str) -> Vec<Fingerprint> {
        let mut hashes = Vec::new();
        let salt = &self.salt;
        at_path(record, path, Twins::Last, &mut |node| {
            each_scalar(node, &mut |scalar| match scalar {
                Value::Text(text) => hashes.push(hash_text(salt, path, text)),
                Value::Bool(truth) => {
                    hashes.push(hash_text(salt, path, if *truth { "true" } else { "false" }));
                }
                Value::Number(text) => {
                    hashes.push(hash_text(salt, path, text));
                    hashes.extend(
                        Decimal::parse(text).map(|number| hash_number(salt, path, &number)),
                    );
                }
                Value::Null | Value::List(_) | Value::Object(_) => {}
            });
        });
        hashes
    }
}
