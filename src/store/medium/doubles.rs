//! Media that stand in for the disk in tests.
//!
//! Here: one that forgets what was not synced, one that fails, one that skips syncs, one that lies.
//! Not here: what must hold when they do (`store::tests`, `tests/`).
//! Invariant: [`Forgetful`] promises no more than [`Medium`] says that callers may rely on.

use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Mapped, Medium, MediumFile, MediumRead, TMP};

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Files in memory, with a memory of what a crash would leave of them.
#[derive(Debug, Clone, Default)]
pub struct Forgetful(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    names: BTreeMap<String, Content>,
    durable: BTreeMap<String, Content>,
    /// Changes of names since their directory was synced, in order: a file, or none.
    pending: Vec<(String, Option<Content>)>,
    calls: u64,
    stop_after: Option<u64>,
}

type Content = Arc<Mutex<Bytes>>;

#[derive(Debug, Default)]
struct Bytes {
    now: Vec<u8>,
    durable: Vec<u8>,
}

impl Forgetful {
    /// An empty medium.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty medium on which only `calls` changes can be made; the power fails at the next.
    pub fn stopping_after(calls: u64) -> Self {
        let medium = Self::default();
        lock(&medium.0).stop_after = Some(calls);
        medium
    }

    /// How many changes were made or tried.
    pub fn calls(&self) -> u64 {
        lock(&self.0).calls
    }

    /// What a crash could leave. `seed` 0: exactly what was synced. 1: everything. Any other: some
    /// of what was not synced, in any order, and files in part or filled with zeros.
    pub fn crash(&self, seed: u64) -> Self {
        let state = lock(&self.0);
        let mut dice = Dice(seed);
        let mut names = state.durable.clone();
        for (name, content) in &state.pending {
            if dice.keeps() {
                match content {
                    Some(content) => names.insert(name.clone(), Arc::clone(content)),
                    None => names.remove(name),
                };
            }
        }
        let mut left = BTreeMap::new();
        for (name, content) in names {
            let bytes = dice.torn(&lock(&content));
            let content = Bytes { now: bytes.clone(), durable: bytes };
            left.insert(name, Arc::new(Mutex::new(content)));
        }
        let state = State { durable: left.clone(), names: left, ..State::default() };
        Self(Arc::new(Mutex::new(state)))
    }

    /// Replaces the content of a file, or makes one, as an attacker or a bad disk would.
    pub fn plant(&self, name: &str, bytes: Vec<u8>) {
        let content = Bytes { now: bytes.clone(), durable: bytes };
        let content = Arc::new(Mutex::new(content));
        let mut state = lock(&self.0);
        state.names.insert(name.into(), Arc::clone(&content));
        state.durable.insert(name.into(), content);
    }

    /// The content of a file.
    pub fn content(&self, name: &str) -> Option<Vec<u8>> {
        lock(&self.0).names.get(name).map(|content| lock(content).now.clone())
    }

    fn change(&self) -> io::Result<MutexGuard<'_, State>> {
        let mut state = lock(&self.0);
        state.calls += 1;
        if state.stop_after.is_some_and(|limit| state.calls > limit) {
            return Err(io::Error::other("the power has failed"));
        }
        Ok(state)
    }
}

/// Decides what a crash leaves.
struct Dice(u64);

impl Dice {
    fn keeps(&mut self) -> bool {
        match self.0 {
            0 => false,
            1 => true,
            _ => self.roll(2) == 0,
        }
    }

    fn roll(&mut self, sides: u64) -> u64 {
        // xorshift64*
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % sides
    }

    fn torn(&mut self, bytes: &Bytes) -> Vec<u8> {
        if bytes.now == bytes.durable || self.0 == 0 {
            return bytes.durable.clone();
        }
        if self.0 == 1 {
            return bytes.now.clone();
        }
        let len = bytes.durable.len()
            + self.roll((bytes.now.len() - bytes.durable.len()) as u64 + 1) as usize;
        let mut left = bytes.now[..len].to_vec();
        let sound =
            bytes.durable.len() + self.roll((len - bytes.durable.len()) as u64 + 1) as usize;
        left[sound..].fill(0);
        left
    }
}

impl Medium for Forgetful {
    fn create_new(&self, name: &str) -> io::Result<Box<dyn MediumFile>> {
        let mut state = self.change()?;
        if state.names.contains_key(name) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let content = Content::default();
        state.names.insert(name.into(), Arc::clone(&content));
        state.pending.push((name.into(), Some(Arc::clone(&content))));
        Ok(Box::new(ForgetfulFile { medium: self.clone(), content }))
    }

    fn rename_new(&self, from: &str, to: &str) -> io::Result<()> {
        let mut state = self.change()?;
        if state.names.contains_key(to) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let content = state.names.remove(from).ok_or(io::ErrorKind::NotFound)?;
        state.names.insert(to.into(), Arc::clone(&content));
        state.pending.push((to.into(), Some(content)));
        state.pending.push((from.into(), None));
        Ok(())
    }

    fn sync_dir(&self, directory: &str) -> io::Result<()> {
        let mut state = self.change()?;
        let within = |name: &str| name.split_once('/').is_some_and(|(first, _)| first == directory);
        let (synced, pending) =
            std::mem::take(&mut state.pending).into_iter().partition(|(name, _)| within(name));
        state.pending = pending;
        let synced: Vec<_> = synced;
        for (name, content) in synced {
            match content {
                Some(content) => state.durable.insert(name, content),
                None => state.durable.remove(&name),
            };
        }
        Ok(())
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn MediumRead>> {
        let content = lock(&self.0).names.get(name).cloned().ok_or(io::ErrorKind::NotFound)?;
        Ok(Arc::new(ForgetfulRead(content)))
    }

    fn list(&self, directory: &str) -> io::Result<Vec<String>> {
        let state = lock(&self.0);
        let names = state.names.keys().filter_map(|name| name.split_once('/'));
        Ok(names.filter(|(first, _)| *first == directory).map(|(_, name)| name.into()).collect())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut state = self.change()?;
        state.names.remove(name).ok_or(io::ErrorKind::NotFound)?;
        state.pending.push((name.into(), None));
        Ok(())
    }
}

#[derive(Debug)]
struct ForgetfulFile {
    medium: Forgetful,
    content: Content,
}

impl MediumFile for ForgetfulFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        drop(self.medium.change()?);
        lock(&self.content).now.extend_from_slice(bytes);
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        drop(self.medium.change()?);
        let mut content = lock(&self.content);
        content.durable = content.now.clone();
        Ok(())
    }
}

#[derive(Debug)]
struct ForgetfulRead(Content);

impl MediumRead for ForgetfulRead {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let content = lock(&self.0);
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        let bytes = content.now.get(start..).and_then(|rest| rest.get(..buffer.len()));
        buffer.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn len(&self) -> io::Result<u64> {
        Ok(lock(&self.0).now.len() as u64)
    }

    fn map(&self, range: Range<u64>) -> io::Result<Mapped> {
        let mut bytes = vec![0; range.end.saturating_sub(range.start) as usize];
        self.read_at(range.start, &mut bytes)?;
        Ok(Mapped::Read(bytes))
    }
}

/// What a [`Flawed`] medium does wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flaw {
    /// None.
    None,
    /// The call of this number, counted from 0 over all calls that can fail, fails.
    FailsAt(u64, io::ErrorKind),
    /// Says that files are synced, and does nothing.
    SkipsFileSync,
    /// Says that directories are synced, and does nothing.
    SkipsDirSync,
    /// Says that a file is removed, and keeps it.
    KeepsRemoved,
}

/// A medium with a flaw.
#[derive(Debug)]
pub struct Flawed {
    inner: Arc<dyn Medium>,
    flaw: Flaw,
    calls: Arc<AtomicU64>,
}

impl Flawed {
    /// `inner` with a flaw.
    pub fn new(inner: Arc<dyn Medium>, flaw: Flaw) -> Self {
        Self { inner, flaw, calls: Arc::default() }
    }

    /// Whether the call that should fail has been made.
    pub fn has_failed(&self) -> bool {
        matches!(self.flaw, Flaw::FailsAt(number, _) if self.calls.load(Ordering::SeqCst) > number)
    }

    fn call(&self) -> io::Result<()> {
        count(&self.calls, self.flaw)
    }
}

fn count(calls: &AtomicU64, flaw: Flaw) -> io::Result<()> {
    let number = calls.fetch_add(1, Ordering::SeqCst);
    match flaw {
        Flaw::FailsAt(at, kind) if at == number => Err(kind.into()),
        _ => Ok(()),
    }
}

impl Medium for Flawed {
    fn create_new(&self, name: &str) -> io::Result<Box<dyn MediumFile>> {
        self.call()?;
        let inner = self.inner.create_new(name)?;
        Ok(Box::new(FlawedFile { inner, flaw: self.flaw, calls: Arc::clone(&self.calls) }))
    }

    fn rename_new(&self, from: &str, to: &str) -> io::Result<()> {
        self.call()?;
        self.inner.rename_new(from, to)
    }

    fn sync_dir(&self, directory: &str) -> io::Result<()> {
        self.call()?;
        if self.flaw == Flaw::SkipsDirSync { Ok(()) } else { self.inner.sync_dir(directory) }
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn MediumRead>> {
        self.call()?;
        self.inner.open(name)
    }

    fn list(&self, directory: &str) -> io::Result<Vec<String>> {
        self.call()?;
        self.inner.list(directory)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.call()?;
        if self.flaw == Flaw::KeepsRemoved { Ok(()) } else { self.inner.remove(name) }
    }
}

#[derive(Debug)]
struct FlawedFile {
    inner: Box<dyn MediumFile>,
    flaw: Flaw,
    calls: Arc<AtomicU64>,
}

impl MediumFile for FlawedFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        count(&self.calls, self.flaw)?;
        self.inner.append(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        count(&self.calls, self.flaw)?;
        if self.flaw == Flaw::SkipsFileSync { Ok(()) } else { self.inner.sync() }
    }
}

/// The promises of [`Medium`] that can be seen without a crash; every medium must keep them.
///
/// # Panics
///
/// At the first that is broken.
pub fn contract(medium: &dyn Medium) {
    let kind = |result: io::Result<()>| result.map_err(|error| error.kind());
    let (first, second) = (super::join(TMP, "1-a"), super::join(super::PACKS, "b"));
    let mut file = medium.create_new(&first).expect("a new file");
    let again = medium.create_new(&first).map(drop);
    assert_eq!(kind(again), Err(io::ErrorKind::AlreadyExists));
    file.append(b"hello ").expect("appends");
    file.append(b"world").expect("appends");
    file.sync().expect("syncs");
    drop(file);
    medium.rename_new(&first, &second).expect("renames");
    medium.sync_dir(super::PACKS).expect("syncs a directory");
    assert_eq!(kind(medium.open(&first).map(drop)), Err(io::ErrorKind::NotFound));
    assert_eq!(medium.list(TMP).expect("lists"), Vec::<String>::new());
    assert_eq!(medium.list(super::PACKS).expect("lists"), ["b"]);
    let read = medium.open(&second).expect("opens");
    assert_eq!(read.len().expect("has a length"), 11);
    let mut bytes = [0; 5];
    read.read_at(6, &mut bytes).expect("reads");
    assert_eq!(&bytes, b"world");
    assert_eq!(kind(read.read_at(7, &mut bytes)), Err(io::ErrorKind::UnexpectedEof));
    assert_eq!(&*read.map(4..7).expect("maps"), b"o w");
    assert!(read.map(0..0).expect("maps").is_empty());
    assert_eq!(kind(read.map(4..12).map(drop)), Err(io::ErrorKind::UnexpectedEof));
    drop(medium.create_new(&first).expect("a new file"));
    let taken = medium.rename_new(&first, &second);
    assert_eq!(kind(taken), Err(io::ErrorKind::AlreadyExists));
    assert_eq!(medium.open(&second).expect("opens").len().expect("has a length"), 11);
    medium.remove(&second).expect("removes");
    medium.remove(&first).expect("removes");
    assert_eq!(kind(medium.remove(&second)), Err(io::ErrorKind::NotFound));
    read.read_at(6, &mut bytes).expect("an open file can be read after it was removed");
    assert_eq!(&bytes, b"world");
    let missing = medium.rename_new(&first, &second);
    assert_eq!(kind(missing), Err(io::ErrorKind::NotFound));
}
