//! Who Git takes the user for.

use std::path::Path;

use crate::model::Author;

use super::{Error, text};

/// The author that Git would write into a commit made in `directory`.
///
/// Name and mail address are each taken from the first place that has one: the environment
/// (`GIT_AUTHOR_NAME`, `GIT_AUTHOR_EMAIL`), `author.name` and `author.email`, `user.name` and
/// `user.email`, for the address `EMAIL`; read from the repository around `directory`, if there is
/// one, the user's and the system's configuration, with their includes. `None` if either is
/// nowhere; unlike Git, no address is made up from the name of the machine.
///
/// # Errors
///
/// [`Error::Config`] if a configuration file is there and cannot be understood.
pub fn identity(directory: &Path) -> Result<Option<Author>, Error> {
    let failed =
        |source: gix::Error| Error::Config { path: directory.into(), source: source.into() };
    let config = match gix::discover(directory) {
        Ok(repository) => return Ok(author(&repository.config_snapshot())),
        // Without a repository, or with one that this build cannot open, the user's own
        // configuration still says who they are.
        Err(_) => gix::config(None, &gix::open::Options::default()).map_err(failed)?,
    };
    Ok(author(&config))
}

fn author(config: &gix::config::File) -> Option<Author> {
    let value = |keys: [&str; 3]| {
        let found = keys.into_iter().find_map(|key| config.string(key))?;
        let clean = text::person_part(&text::decode(&found, None));
        (!clean.is_empty()).then_some(clean)
    };
    Some(Author {
        name: value(["author.name", "user.name", "gitoxide.author.nameFallback"])?,
        email: value(["author.email", "user.email", "gitoxide.user.emailFallback"])?,
    })
}
