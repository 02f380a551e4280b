//! The settings of a worktree.

use std::collections::BTreeMap;

use super::{Error, Result};
use crate::repo::{Config, Repository};

/// The value of a setting.
///
/// # Errors
///
/// [`Error::Refused`] if there is no such setting.
pub fn get(repository: &Repository, key: &str) -> Result<Option<String>> {
    check(key)?;
    Ok(repository.config.settings.get(key).cloned())
}

/// What is set, and what there is to set with what it means.
pub fn list(
    repository: &Repository,
) -> (BTreeMap<String, String>, &'static [(&'static str, &'static str)]) {
    (repository.config.settings.clone(), Config::KEYS)
}

/// Changes a setting.
///
/// # Errors
///
/// [`Error::Refused`] if there is no such setting or it cannot have this value.
pub fn set(repository: &Repository, key: &str, value: &str, dry_run: bool) -> Result<()> {
    check(key)?;
    let is_number = || value.parse::<u16>().is_ok_and(|number| number > 0);
    if key == "core.threads" && !is_number() {
        return Err(Error::Refused(format!("{key} is a number from 1, not `{value}`")));
    }
    if key == "commit.sign" && !matches!(value, "true" | "false") {
        return Err(Error::Refused(format!("{key} is true or false, not `{value}`")));
    }
    let unprintable = |c: char| c.is_control() || matches!(c, '<' | '>');
    if value.trim().is_empty() || value.contains(unprintable) {
        return Err(Error::Refused(format!("{key} cannot be `{}`", value.escape_debug())));
    }
    change(repository, dry_run, |settings| {
        settings.insert(key.to_owned(), value.to_owned());
    })
}

/// Forgets a setting.
///
/// # Errors
///
/// [`Error::Refused`] if there is no such setting.
pub fn unset(repository: &Repository, key: &str, dry_run: bool) -> Result<()> {
    check(key)?;
    change(repository, dry_run, |settings| {
        settings.remove(key);
    })
}

fn change(
    repository: &Repository,
    dry_run: bool,
    edit: impl FnOnce(&mut BTreeMap<String, String>),
) -> Result<()> {
    let mut config = repository.config.clone();
    edit(&mut config.settings);
    if dry_run { Ok(()) } else { Ok(config.write(&repository.place.dot)?) }
}

fn check(key: &str) -> Result<()> {
    if Config::KEYS.iter().any(|(known, _)| *known == key) {
        return Ok(());
    }
    let keys: Vec<_> = Config::KEYS.iter().map(|(known, _)| *known).collect();
    Err(Error::Refused(format!("there is no setting `{key}`; there are {}", keys.join(", "))))
}
