//! Files: that the chunks of each together are what its id says.

use std::collections::HashSet;

use super::{Damage, Findings};
use crate::format::frame::Key;
use crate::format::kind::Kind;
use crate::format::recipe::decode_recipe;
use crate::model::{FileId, FileRef, Mode};
use crate::ops::Result;
use crate::ops::add::in_one_line;
use crate::repo::{self, Content, Error, Repository, parallel};

/// Reads every file of several chunks, each different one once, and hashes it whole. Chunks that are
/// damaged or not there are not told of here: whatever needs them has been found out.
pub(super) fn read(repository: &Repository, findings: &Findings) -> Result<()> {
    let files = of_several_chunks(repository);
    let progress = &repository.environment.progress;
    progress.begin("Reading files", Some(files.len() as u64), None);
    parallel::each(
        repository.threads(),
        &files,
        || Content::new(repository),
        |content, file| {
            if let Err(error @ Error::DamagedFile { .. }) = hash(repository, content, file) {
                let key = Key::recipe(file);
                findings.damaged(Damage::of_object(key, None, in_one_line(&error)));
            }
            progress.advance(1, 0);
            Ok(())
        },
    )?;
    progress.end();
    Ok(())
}

/// The files with a recipe that are to be there.
fn of_several_chunks(repository: &Repository) -> Vec<FileId> {
    let overlay = repository.overlay();
    let mut files = HashSet::new();
    for pack in repository.store.packs() {
        // A pack whose table cannot be read has been found out.
        let objects = repository.store.objects(pack.name).unwrap_or_default();
        let recipes = objects.iter().filter(|object| object.key.kind == Kind::Recipe);
        let ids = recipes.map(|object| FileId::from_bytes(object.key.id));
        files.extend(ids.filter(|file| overlay.get(file).is_none()));
    }
    files.into_iter().collect()
}

fn hash(repository: &Repository, content: &mut Content<'_>, file: &FileId) -> repo::Result<()> {
    let recipe = decode_recipe(&repository.get(&Key::recipe(file))?)?;
    let whole = FileRef { mode: Mode::File, size: recipe.size, file: *file };
    content.check(&whole)
}
