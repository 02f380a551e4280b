//! A user's private keys: one file each, that nobody else may read.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::{KeyError, trusted_keys};
use crate::repo::{Error, Repository, Result};
use crate::sign::{KeyId, PublicKey, SecretKey};

/// A file of a key is not longer than this.
const MAX_BYTES: u64 = 1 << 16;
const PRIVATE: &str = "key";
const PUBLIC: &str = "pub";

/// The directory of a user's private keys.
#[derive(Debug, Clone)]
pub struct KeyRing {
    directory: PathBuf,
}

/// A key of the user, without its private part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnKey {
    /// Its short name.
    pub id: KeyId,
    /// The public part.
    pub public: PublicKey,
    /// What was written beside it, as a rule whose it is.
    pub comment: String,
    /// The file with the private part.
    pub path: PathBuf,
}

/// A key that is ready to sign.
#[derive(Debug)]
pub struct Signer {
    /// The key.
    pub key: SecretKey,
    /// Where it lies.
    pub path: PathBuf,
}

impl KeyRing {
    /// The keys in `directory`, which need not be there yet.
    pub fn new(directory: PathBuf) -> Self {
        Self { directory }
    }

    /// Where the keys lie.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The user's keys, by id. Their private parts are not read.
    ///
    /// # Errors
    ///
    /// [`Error::Io`]; [`KeyError::BadFile`] for a public part that is not one.
    pub fn list(&self) -> Result<Vec<OwnKey>> {
        let io = |source| Error::Io { path: self.directory.clone(), source };
        let entries = match std::fs::read_dir(&self.directory) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(io)?,
        };
        let mut keys = Vec::new();
        for entry in entries {
            let path = entry.map_err(io)?.path();
            if path.extension().is_some_and(|end| end == PUBLIC) {
                let (public, comment) = read_public(&path)?;
                let path = path.with_extension(PRIVATE);
                keys.push(OwnKey { id: public.id(), public, comment, path });
            }
        }
        keys.sort_by_key(|key| key.id);
        Ok(keys)
    }

    /// Keeps a new key: the private part in a file that only its owner may read, the public part
    /// beside it.
    ///
    /// # Errors
    ///
    /// [`Error::Io`]; a key that is there already is not overwritten.
    pub fn add(&self, key: &SecretKey, comment: &str) -> Result<OwnKey> {
        let public = key.public();
        let io = |source| Error::Io { path: self.directory.clone(), source };
        let mut builder = std::fs::DirBuilder::new();
        builder.recursive(true).mode(0o700).create(&self.directory).map_err(io)?;
        let path = self.directory.join(format!("{}.{PRIVATE}", public.id()));
        write_new(&path, 0o600, key.to_text(comment).as_bytes())?;
        let line = format!("{}\n", public.to_line(comment));
        write_new(&path.with_extension(PUBLIC), 0o644, line.as_bytes())?;
        File::open(&self.directory).and_then(|directory| directory.sync_all()).map_err(io)?;
        Ok(OwnKey { id: public.id(), public, comment: comment.to_owned(), path })
    }

    /// The key that `wanted` names: an id, or the path of a file in OpenSSH's form. If nothing is
    /// asked for it is the only one there is.
    ///
    /// # Errors
    ///
    /// [`KeyError::Missing`], [`KeyError::Several`]; [`KeyError::Exposed`] if others than its
    /// owner may read the file.
    pub fn signer(&self, wanted: Option<&str>) -> Result<Signer> {
        let path = match wanted {
            Some(text) => match text.parse::<KeyId>() {
                Ok(id) => self.directory.join(format!("{id}.{PRIVATE}")),
                Err(_) => PathBuf::from(text),
            },
            None => self.only_one()?,
        };
        let (key, _) = match read_private(&path) {
            Err(Error::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                let wanted = wanted.unwrap_or_default().to_owned();
                return Err(KeyError::Missing { wanted, directory: self.directory.clone() }.into());
            }
            read => read?,
        };
        Ok(Signer { key, path })
    }

    fn only_one(&self) -> Result<PathBuf> {
        let mut keys = self.list()?;
        match (keys.pop(), keys.len()) {
            (Some(only), 0) => Ok(only.path),
            (None, _) => {
                let directory = self.directory.clone();
                Err(KeyError::Missing { wanted: String::new(), directory }.into())
            }
            (Some(last), _) => {
                let ids = keys.iter().map(|key| key.id).chain([last.id]).collect();
                Err(KeyError::Several { ids }.into())
            }
        }
    }
}

impl Repository {
    /// The keys of whoever uses the repository.
    ///
    /// # Errors
    ///
    /// [`KeyError::NoDirectory`] if nothing says where they lie.
    pub fn key_ring(&self) -> Result<KeyRing> {
        let directory = self.environment.keys.clone().ok_or(KeyError::NoDirectory)?;
        Ok(KeyRing::new(directory))
    }

    /// The key to sign with: the one that is asked for, else the one that is set as
    /// `user.signingkey` (a path is seen from the worktree's top), else the only one, else the only
    /// one that the store trusts.
    ///
    /// # Errors
    ///
    /// As [`KeyRing::signer`].
    pub fn signer(&self, wanted: Option<&str>) -> Result<Signer> {
        let ring = self.key_ring()?;
        match (wanted, self.config.settings.get("user.signingkey")) {
            (None, Some(set)) if set.parse::<KeyId>().is_err() => {
                ring.signer(Some(&self.place.root.join(set).to_string_lossy()))
            }
            (None, None) => match ring.signer(None) {
                Err(Error::Key(KeyError::Several { ids })) => self.trusted_among(&ring, ids),
                found => found,
            },
            (wanted, set) => ring.signer(wanted.or(set.map(String::as_str))),
        }
    }

    fn trusted_among(&self, ring: &KeyRing, ids: Vec<KeyId>) -> Result<Signer> {
        let keys = trusted_keys(&self.catalogue)?;
        let trusted = |id: &&KeyId| keys.iter().any(|key| key.id == **id && key.revoked.is_none());
        let mut trusted = ids.iter().filter(trusted);
        match (trusted.next(), trusted.next()) {
            (Some(only), None) => ring.signer(Some(&only.to_string())),
            _ => Err(KeyError::Several { ids }.into()),
        }
    }
}

fn read_private(path: &Path) -> Result<(SecretKey, String)> {
    let io = |source| Error::Io { path: path.to_path_buf(), source };
    let file = File::open(path).map_err(io)?;
    let meta = file.metadata().map_err(io)?;
    let mode = meta.permissions().mode() & 0o777;
    if !meta.is_file() {
        return Err(bad(
            path,
            crate::sign::Error::Malformed {
                what: "the private key",
                problem: "it is not a file".into(),
            },
        ));
    }
    if mode & 0o077 != 0 {
        return Err(KeyError::Exposed { path: path.to_path_buf(), mode }.into());
    }
    let text = read_text(file).map_err(io)?;
    SecretKey::from_text(&text).map_err(|source| bad(path, source))
}

fn read_public(path: &Path) -> Result<(PublicKey, String)> {
    let io = |source| Error::Io { path: path.to_path_buf(), source };
    let text = read_text(File::open(path).map_err(io)?).map_err(io)?;
    PublicKey::from_line(&text).map_err(|source| bad(path, source))
}

fn read_text(file: File) -> io::Result<String> {
    let mut text = String::new();
    file.take(MAX_BYTES).read_to_string(&mut text)?;
    Ok(text)
}

fn bad(path: &Path, source: crate::sign::Error) -> Error {
    KeyError::BadFile { path: path.to_path_buf(), source }.into()
}

fn write_new(path: &Path, mode: u32, bytes: &[u8]) -> Result<()> {
    let io = |source| Error::Io { path: path.to_path_buf(), source };
    let mut file =
        OpenOptions::new().write(true).create_new(true).mode(mode).open(path).map_err(io)?;
    file.write_all(bytes).map_err(io)?;
    file.sync_all().map_err(io)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ring() -> (tempfile::TempDir, KeyRing) {
        let directory = tempfile::tempdir().unwrap();
        let ring = KeyRing::new(directory.path().join("a/keys"));
        (directory, ring)
    }

    #[test]
    fn a_key_is_kept_so_that_only_its_owner_reads_it() {
        let (_directory, ring) = ring();
        assert_eq!(ring.list().unwrap(), []);
        let key = SecretKey::generate().unwrap();
        let own = ring.add(&key, "Ann <ann@example.org>").unwrap();
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&own.path), mode(ring.directory())), (0o600, 0o700));
        assert_eq!(ring.list().unwrap(), [own]);
        assert!(ring.add(&key, "again").is_err(), "it is not overwritten");
        let id = key.public().id().to_string();
        for wanted in [None, Some(id.as_str())] {
            assert_eq!(ring.signer(wanted).unwrap().key.public(), key.public());
        }
    }

    #[test]
    fn a_key_that_others_may_read_is_refused() {
        let (_directory, ring) = ring();
        let own = ring.add(&SecretKey::generate().unwrap(), "").unwrap();
        for mode in [0o640, 0o604, 0o620, 0o601] {
            let permissions = std::fs::Permissions::from_mode(mode);
            std::fs::set_permissions(&own.path, permissions).unwrap();
            let refused = ring.signer(None);
            assert!(
                matches!(refused, Err(Error::Key(KeyError::Exposed { mode: found, .. })) if found == mode)
            );
        }
    }

    #[test]
    fn which_key_is_meant_must_be_clear() {
        let (_directory, ring) = ring();
        assert!(matches!(ring.signer(None), Err(Error::Key(KeyError::Missing { .. }))));
        let first = ring.add(&SecretKey::generate().unwrap(), "").unwrap();
        ring.add(&SecretKey::generate().unwrap(), "").unwrap();
        assert!(
            matches!(ring.signer(None), Err(Error::Key(KeyError::Several { ids })) if ids.len() == 2)
        );
        let path = first.path.to_str().unwrap();
        assert_eq!(ring.signer(Some(path)).unwrap().key.public(), first.public);
        for wrong in ["0000000000000000", "no/such/file"] {
            assert!(matches!(ring.signer(Some(wrong)), Err(Error::Key(KeyError::Missing { .. }))));
        }
    }
}
