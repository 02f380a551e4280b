//! Writing: a session of the store that ends in one change of the catalogue.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

use super::maintain::pack_record;
use super::policy::{Gated, policy_moved};
use super::{Error, Fault, Marks, Nodes, Repository, Result, Tracer};
use crate::catalogue::{self, Change, Changeset, WorktreeState};
use crate::format::frame::Key;
use crate::format::pack::PackKind;
use crate::format::{manifest, version};
use crate::model::{Entry, FileId, FileRef, ManifestId, Presence, RepoPath, Version, VersionId};
use crate::store::{Packer, Put, WriteSession};

/// How often a session that a collector has fenced off begins again.
const ATTEMPTS: u32 = 5;

/// Objects being written. What it holds counts only when [`Repository::transact`] has ended well.
pub struct Session<'a> {
    inner: WriteSession,
    meta: Mutex<Packer>,
    repository: &'a Repository,
    /// Nodes written here: no pack has them yet that could be read.
    written: Written,
    written_bytes: AtomicU64,
    keep_all: AtomicBool,
    new_bytes: AtomicU64,
    new_chunks: AtomicU64,
    reused_bytes: AtomicU64,
    /// Content that was archived, or whose erasure was lifted, and that is taken in again.
    returned: Mutex<BTreeMap<FileId, Presence>>,
}

/// Encoded nodes by id.
pub(super) type Written = Mutex<HashMap<ManifestId, Vec<u8>>>;

/// Takes the nodes of a manifest that is being made.
pub type NodeSink<'s> = Box<dyn FnMut(ManifestId, Vec<u8>) -> Result<()> + Send + 's>;

/// What a session asks the catalogue to record.
#[derive(Debug, Default)]
pub struct Transaction {
    /// The changes, without the new packs.
    pub changes: Vec<Change>,
    /// The versions among them.
    pub versions: Vec<(VersionId, Version)>,
    /// The worktree's state afterwards, if it changes.
    pub state: Option<WorktreeState>,
}

impl<'a> Session<'a> {
    fn begin(repository: &'a Repository, epoch: u64) -> Result<Self> {
        let inner = repository.store.session(epoch)?;
        let meta = Mutex::new(inner.packer(PackKind::Meta)?);
        let zero = AtomicU64::default;
        let (new_bytes, new_chunks, reused_bytes) = (zero(), zero(), zero());
        let (written, keep_all) = (Written::default(), AtomicBool::new(false));
        let written_bytes = zero();
        Ok(Self {
            inner,
            meta,
            repository,
            written,
            written_bytes,
            keep_all,
            new_bytes,
            new_chunks,
            reused_bytes,
            returned: Mutex::default(),
        })
    }

    /// Keeps every node written from now on in memory, so that listings made here can be read and
    /// edited here. Otherwise only the newest node is kept, which is the root of the last listing.
    pub fn keep_nodes(&self) {
        self.keep_all.store(true, Relaxed);
    }

    /// How many bytes of nodes have been written: with [`Session::keep_nodes`] so many are in
    /// memory, at most.
    pub fn node_bytes(&self) -> u64 {
        self.written_bytes.load(Relaxed)
    }

    /// The nodes of manifests: those written here, and those of the store.
    pub fn nodes(&self) -> Nodes<'_> {
        Nodes::with_written(self.repository, &self.written)
    }

    fn put_node(&self, id: ManifestId, bytes: Vec<u8>) -> Result<()> {
        self.put_meta(&Key::node(&id), &bytes)?;
        self.written_bytes.fetch_add(bytes.len() as u64, Relaxed);
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.keep_all.load(Relaxed) {
            written.clear();
        }
        written.insert(id, bytes);
        Ok(())
    }

    /// The repository that is written to.
    pub fn repository(&self) -> &'a Repository {
        self.repository
    }

    /// A packer of chunks for one thread; it must come back through [`Session::give_back`].
    ///
    /// # Errors
    ///
    /// The store's.
    pub fn packer(&self) -> Result<Packer> {
        Ok(self.inner.packer(PackKind::Data)?)
    }

    /// Ends the work of a thread.
    ///
    /// # Errors
    ///
    /// The store's.
    pub fn give_back(&self, packer: Packer) -> Result<()> {
        Ok(packer.finish()?)
    }

    /// Stores a chunk.
    ///
    /// # Errors
    ///
    /// The store's.
    pub fn put_chunk(&self, packer: &mut Packer, key: &Key, bytes: &[u8]) -> Result<()> {
        match packer.put(key, bytes)? {
            Put::New { stored } => {
                self.new_bytes.fetch_add(u64::from(stored), Relaxed);
                self.new_chunks.fetch_add(1, Relaxed);
            }
            Put::Known => {
                self.reused_bytes.fetch_add(bytes.len() as u64, Relaxed);
            }
        }
        Ok(())
    }

    /// Stores a node, a recipe, a part of one, or a version.
    ///
    /// # Errors
    ///
    /// The store's.
    pub fn put_meta(&self, key: &Key, bytes: &[u8]) -> Result<()> {
        self.meta.lock().unwrap_or_else(PoisonError::into_inner).put(key, bytes)?;
        Ok(())
    }

    /// Stores the manifest that `edits` (sorted by path) make of `root`.
    ///
    /// # Errors
    ///
    /// The store's and the format's.
    pub fn edit_manifest(
        &self,
        root: &ManifestId,
        edits: &[(RepoPath, Option<FileRef>)],
    ) -> Result<ManifestId> {
        if edits.is_empty() {
            return Ok(*root);
        }
        let nodes = self.nodes();
        let sink = |id: ManifestId, bytes: Vec<u8>| self.put_node(id, bytes);
        if *root == manifest::empty().0 {
            let entries = edits
                .iter()
                .filter_map(|(path, file)| file.map(|file| Entry { path: path.clone(), file }));
            return manifest::build(entries, sink);
        }
        manifest::edit(&nodes, root, edits, sink)
    }

    /// A manifest that is stored entry by entry, in path order.
    pub fn begin_manifest(&self) -> manifest::Builder<NodeSink<'_>> {
        manifest::Builder::new(Box::new(|id, bytes| self.put_node(id, bytes)))
    }

    /// Stores the manifest of `entries` (sorted by path).
    ///
    /// # Errors
    ///
    /// The store's and the format's.
    pub fn build_manifest(&self, entries: impl IntoIterator<Item = Entry>) -> Result<ManifestId> {
        manifest::build(entries, |id: ManifestId, bytes: Vec<u8>| self.put_node(id, bytes))
    }

    /// Stores a version.
    ///
    /// # Errors
    ///
    /// The store's and the format's.
    pub fn put_version(&self, version: &Version) -> Result<VersionId> {
        let bytes = version::encode(version)?;
        let id = version::id(&bytes);
        self.put_meta(&Key::version(&id), &bytes)?;
        Ok(id)
    }

    /// Bytes and chunks written so far as stored, and bytes of chunks that were there already.
    pub fn counts(&self) -> (u64, u64, u64) {
        let read = |counter: &AtomicU64| counter.load(Relaxed);
        (read(&self.new_bytes), read(&self.new_chunks), read(&self.reused_bytes))
    }

    /// Notes that a file was stored whole: if it was not present, it is from now on.
    pub(super) fn stored(&self, file: &FileId) {
        let overlay = self.repository.overlay();
        if let Some(presence) = overlay.get(file) {
            let mut returned = self.returned.lock().unwrap_or_else(PoisonError::into_inner);
            returned.entry(*file).or_insert_with(|| presence.clone());
        }
    }

    fn returned(&self) -> Vec<Change> {
        let mut returned = self.returned.lock().unwrap_or_else(PoisonError::into_inner);
        let back = |(file, old): (FileId, Presence)| Change::PresenceChanged {
            file,
            old: Some(old),
            new: None,
        };
        std::mem::take(&mut *returned).into_iter().map(back).collect()
    }

    fn finish(self) -> Result<Vec<crate::store::PackInfo>> {
        self.meta.into_inner().unwrap_or_else(PoisonError::into_inner).finish()?;
        Ok(self.inner.finish()?)
    }
}

impl Repository {
    /// Runs `body` and makes what it wrote durable, then records it: one change, one journal row.
    ///
    /// A session that a collector has fenced off begins again, with every chunk looked up anew, so
    /// `body` may run several times. Where nothing was written and nothing changed, nothing is
    /// recorded.
    ///
    /// # Errors
    ///
    /// What `body` fails with; [`Error::Refused`] if the policy does not let a branch or tag move so,
    /// and only that is recorded; a lost race ([`catalogue::Error::Moved`]); the store's.
    pub fn transact<T>(
        &self,
        action: &str,
        subject: &str,
        message: Option<&str>,
        mut body: impl FnMut(&Session<'_>) -> Result<(Transaction, T)>,
    ) -> Result<T> {
        for attempt in 1.. {
            let epoch = self.refresh()?;
            let session = Session::begin(self, epoch)?;
            let done = body(&session).and_then(|(mut transaction, value)| {
                transaction.changes.extend(session.returned());
                let gated = self.gate(action, subject, &transaction)?;
                Ok((transaction, gated, value, session.finish()?))
            });
            let recorded = done.and_then(|(transaction, gated, value, packs)| {
                if epoch != self.opened {
                    self.check_again(&transaction, &packs)?;
                }
                self.record(action, subject, message, (epoch, &packs), transaction, gated)?;
                Ok(value)
            });
            match recorded {
                Err(error) if policy_moved(&error) && attempt < ATTEMPTS => {}
                Err(error) if self.was_overtaken(epoch, &error)? => {
                    if attempt == ATTEMPTS {
                        let least = self.catalogue.root()?.epoch;
                        return Err(catalogue::Error::Fenced { session: epoch, least }.into());
                    }
                }
                recorded => return recorded,
            }
        }
        unreachable!("the last attempt returns")
    }

    /// Whether an error comes of a collector that began after the session: it says so, or what the
    /// session relies on is condemned, or its packs or temporary files are gone.
    fn was_overtaken(&self, epoch: u64, error: &Error) -> Result<bool> {
        match error {
            Error::Catalogue(catalogue::Error::Fenced { .. }) => Ok(true),
            Error::Store(_) | Error::Lost { .. } => Ok(self.catalogue.root()?.epoch > epoch),
            _ => Ok(false),
        }
    }

    /// Looks up every object that a transaction will name. A collector has begun an epoch since
    /// this repository was opened, so a version that `body` was told of then may be gone since,
    /// and what a listing takes over from another was not looked up when it was written.
    fn check_again(
        &self,
        transaction: &Transaction,
        packs: &[crate::store::PackInfo],
    ) -> Result<()> {
        let staged = transaction.state.as_ref().map(|state| state.staged);
        let versions = transaction.versions.iter().map(|(_, version)| version.manifest);
        let roots: Vec<ManifestId> = staged.into_iter().chain(versions).collect();
        let view = self.catalogue.session_view()?;
        // Condemned packs count: as long as this session may commit none of them is buried, and
        // whoever buries one later has marked again what this transaction names.
        let there = view.live.iter().chain(&view.condemned).map(super::pack_info);
        self.store.set_live(there.chain(packs.iter().cloned()).collect());
        self.must_have(&roots)?;
        self.refresh().map(drop)
    }

    /// Looks up every object that listings need.
    ///
    /// # Errors
    ///
    /// [`Error::Lost`] names the first that is not there.
    pub fn must_have(&self, roots: &[ManifestId]) -> Result<()> {
        let marks = Marks::default();
        let lost = |fault: Fault| Err(Error::Lost { what: fault.key.to_string() });
        Tracer::new(self, &marks, &lost).with_chunks().listings(roots).map(drop)
    }

    fn record(
        &self,
        action: &str,
        subject: &str,
        message: Option<&str>,
        (epoch, packs): (u64, &[crate::store::PackInfo]),
        transaction: Transaction,
        gated: Gated,
    ) -> Result<()> {
        let Transaction { mut changes, versions, state } = transaction;
        if !packs.is_empty() {
            let packs = packs.iter().map(pack_record).collect();
            changes.insert(0, Change::PacksAdded { packs });
        }
        let old = self.state();
        // Whoever has moved the worktree has told nobody.
        let lies_at = || self.place.root.to_string_lossy().into_owned();
        let state = state.map(|state| WorktreeState { path: lies_at(), ..state });
        if let Some(new) = state.as_ref().filter(|new| **new != old) {
            let id = self.worktree.clone();
            changes.push(Change::WorktreeChanged { id, old: Some(old), new: Some(new.clone()) });
        }
        if changes.is_empty() {
            return Ok(());
        }
        let mut changeset = Changeset::new(&self.author()?, self.now(), action, subject);
        changeset.message = message.map(str::to_owned);
        changeset.session_epoch = Some(epoch);
        changeset.changes = changes;
        gated.onto(&mut changeset);
        changeset.versions = versions;
        self.catalogue.apply(&changeset)?;
        if let Some(state) = state {
            self.set_state(state);
        }
        self.refresh()?;
        Ok(())
    }

    /// Records changes that need no new objects.
    ///
    /// # Errors
    ///
    /// As [`Repository::transact`].
    pub fn change(
        &self,
        action: &str,
        subject: &str,
        message: Option<&str>,
        transaction: Transaction,
    ) -> Result<()> {
        let gated = self.gate(action, subject, &transaction)?;
        self.record(action, subject, message, (self.opened, &[]), transaction, gated)
    }
}
