//! Long lists of files in little memory: a million paths with what is known of each.
//!
//! Here: taking files in, giving them out by path or by directory.
//! Not here: what the lists are for (`scan`, `index`, and whoever stages).
//! Invariant: what comes out is what was put in.
//!
//! Files of one directory that come one after the other, in order, are a run. In it a name is told
//! by how much it shares with the one before, and numbers by how much they differ: some 20 bytes for
//! a file that was found, 32 more where its content is known, instead of 150 and 200.

use std::borrow::Borrow;
use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;

use super::index::{mode_code, mode_of};
use super::{Found, Record, Stat};
use crate::model::{FileId, FileRef, Mode, RepoPath};

/// A run ends after so many files, so that one who takes the files out frees memory on the way.
const MOST: u32 = 4096;

/// What can be in a [`FileList`]: a path, and what is known of it.
pub trait Listed {
    /// What stands beside the path.
    type Value: Value;

    /// Taken apart.
    fn split(&self) -> (&RepoPath, Self::Value);

    /// Put together again.
    fn join(path: RepoPath, value: Self::Value) -> Self;
}

/// What stands beside a path.
pub trait Value: Copy {
    /// Appends it, told by what differs from the one before in the run.
    fn put(&self, before: Option<&Self>, out: &mut Vec<u8>);

    /// Reads it.
    fn take(before: Option<&Self>, bytes: &mut Bytes<'_>) -> Self;
}

impl Listed for RepoPath {
    type Value = ();

    fn split(&self) -> (&RepoPath, ()) {
        (self, ())
    }

    fn join(path: RepoPath, (): ()) -> Self {
        path
    }
}

impl Listed for Found {
    type Value = (Stat, Option<FileRef>);

    fn split(&self) -> (&RepoPath, Self::Value) {
        (&self.path, (self.stat, self.known))
    }

    fn join(path: RepoPath, (stat, known): Self::Value) -> Self {
        Self { path, stat, known }
    }
}

impl Listed for (RepoPath, Record) {
    type Value = Record;

    fn split(&self) -> (&RepoPath, Record) {
        (&self.0, self.1)
    }

    fn join(path: RepoPath, record: Record) -> Self {
        (path, record)
    }
}

impl Value for () {
    fn put(&self, _: Option<&Self>, _: &mut Vec<u8>) {}

    fn take(_: Option<&Self>, _: &mut Bytes<'_>) -> Self {}
}

impl Value for (Stat, Option<FileRef>) {
    fn put(&self, before: Option<&Self>, out: &mut Vec<u8>) {
        let (stat, file) = self;
        let same_size = file.is_some_and(|file| file.size == stat.size);
        let file_mode = file.map_or(0, |file| mode_code(file.mode));
        out.push(mode_code(stat.mode) | file_mode << 2 | u8::from(same_size) << 4);
        let (mtime, inode) = before.map_or((0, 0), |(stat, _)| (stat.mtime_ns, stat.inode));
        put_number(out, stat.size);
        put_step(out, stat.mtime_ns.wrapping_sub(mtime));
        put_step(out, stat.ctime_ns.wrapping_sub(stat.mtime_ns));
        put_step(out, stat.inode.wrapping_sub(inode) as i64);
        let Some(file) = file else { return };
        if !same_size {
            put_number(out, file.size);
        }
        out.extend_from_slice(file.file.as_bytes());
    }

    fn take(before: Option<&Self>, bytes: &mut Bytes<'_>) -> Self {
        let head = bytes.byte();
        let (mtime, inode) = before.map_or((0, 0), |(stat, _)| (stat.mtime_ns, stat.inode));
        let size = bytes.number();
        let mtime_ns = mtime.wrapping_add(bytes.step());
        let ctime_ns = mtime_ns.wrapping_add(bytes.step());
        let inode = inode.wrapping_add(bytes.step() as u64);
        let mode = mode_of(head & 3).unwrap_or(Mode::File);
        let stat = Stat { size, mtime_ns, ctime_ns, inode, mode };
        let file = mode_of(head >> 2 & 3).map(|mode| {
            let size = if head >> 4 == 1 { size } else { bytes.number() };
            FileRef { mode, size, file: bytes.id() }
        });
        (stat, file)
    }
}

impl Value for Record {
    fn put(&self, before: Option<&Self>, out: &mut Vec<u8>) {
        let plain = |record: &Self| (record.stat, Some(record.file));
        plain(self).put(before.map(plain).as_ref(), out);
    }

    fn take(before: Option<&Self>, bytes: &mut Bytes<'_>) -> Self {
        let before = before.map(|record| (record.stat, Some(record.file)));
        let (stat, file) = <(Stat, Option<FileRef>)>::take(before.as_ref(), bytes);
        let none = FileRef { mode: stat.mode, size: 0, file: FileId::from_bytes([0; 32]) };
        Self { file: file.unwrap_or(none), stat }
    }
}

fn put_number(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// A difference: near zero in either direction it is short.
fn put_step(out: &mut Vec<u8>, step: i64) {
    put_number(out, (step << 1 ^ step >> 63) as u64);
}

/// What a run has still to tell. It was written here, so it is not doubted.
pub struct Bytes<'a>(&'a [u8]);

impl Bytes<'_> {
    fn some(&mut self, count: usize) -> &[u8] {
        let (taken, rest) = self.0.split_at(count);
        self.0 = rest;
        taken
    }

    fn byte(&mut self) -> u8 {
        self.some(1)[0]
    }

    fn number(&mut self) -> u64 {
        let (mut number, mut shift) = (0, 0);
        loop {
            let byte = self.byte();
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return number;
            }
            shift += 7;
        }
    }

    fn step(&mut self) -> i64 {
        let number = self.number();
        (number >> 1) as i64 ^ -((number & 1) as i64)
    }

    fn id(&mut self) -> FileId {
        let mut id = [0; 32];
        id.copy_from_slice(self.some(32));
        FileId::from_bytes(id)
    }
}

/// Files of one directory, in order.
#[derive(Debug, Clone)]
struct Run {
    /// The path of the first.
    first: Box<[u8]>,
    /// How much of it is the directory.
    directory: usize,
    count: u32,
    bytes: Vec<u8>,
}

impl Run {
    fn directory(&self) -> &[u8] {
        &self.first[..self.directory]
    }

    /// Where the names begin in the paths.
    fn name_at(&self) -> usize {
        self.directory + usize::from(self.directory > 0)
    }

    fn first_name(&self) -> &[u8] {
        &self.first[self.name_at()..]
    }
}

/// Files, given out by path or by directory whatever the order was in which they came.
#[derive(Debug, Clone)]
pub struct FileList<T: Listed> {
    runs: Vec<Run>,
    len: usize,
    /// Whether the last run may go on; then, its last name and what stands beside it.
    is_open: bool,
    last: Vec<u8>,
    before: Option<T::Value>,
}

impl<T: Listed> Default for FileList<T> {
    fn default() -> Self {
        Self { runs: Vec::new(), len: 0, is_open: false, last: Vec::new(), before: None }
    }
}

impl<T: Listed> FileList<T> {
    /// How many files there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Takes a file in. It takes least room if files of one directory come together and in order.
    pub fn push(&mut self, file: &T) {
        let (path, value) = file.split();
        let name = path.name();
        let goes_on = match self.runs.last() {
            Some(run) if self.is_open && run.count < MOST => {
                run.directory() == path.directory() && self.last[..] < *name
            }
            _ => false,
        };
        if !goes_on {
            self.close();
            self.is_open = true;
            let (first, directory) = (path.as_bytes().into(), path.directory().len());
            self.runs.push(Run { first, directory, count: 0, bytes: Vec::new() });
            self.last.extend_from_slice(name);
        }
        let Some(run) = self.runs.last_mut() else { return };
        let shared = name.iter().zip(&self.last).take_while(|(a, b)| a == b).count();
        put_number(&mut run.bytes, shared as u64);
        put_number(&mut run.bytes, (name.len() - shared) as u64);
        run.bytes.extend_from_slice(&name[shared..]);
        value.put(self.before.as_ref(), &mut run.bytes);
        run.count += 1;
        self.last.truncate(shared);
        self.last.extend_from_slice(&name[shared..]);
        self.before = Some(value);
        self.len += 1;
    }

    /// Ends the last run.
    fn close(&mut self) {
        if let Some(run) = self.runs.last_mut() {
            run.bytes.shrink_to_fit();
        }
        self.is_open = false;
        self.last.clear();
        self.before = None;
    }

    /// Takes in all files of another list.
    pub fn append(&mut self, mut other: Self) {
        self.close();
        other.close();
        self.runs.append(&mut other.runs);
        self.len += other.len;
    }

    /// The files in path order.
    pub fn iter(&self) -> impl Iterator<Item = T> + '_ {
        let mut runs: Vec<&Run> = self.runs.iter().collect();
        runs.sort_by(|a, b| a.first.cmp(&b.first));
        ByPath::new(runs)
    }

    /// The files by directory, and by name in each: the order of an index.
    pub fn by_directory(&self) -> impl Iterator<Item = T> + '_ {
        let mut runs: Vec<&Run> = self.runs.iter().collect();
        runs.sort_by(|a, b| {
            a.directory().cmp(b.directory()).then_with(|| a.first_name().cmp(b.first_name()))
        });
        runs.into_iter().flat_map(|run| {
            let mut cursor = Cursor::<_, T>::new(run);
            std::iter::from_fn(move || cursor.next())
        })
    }

    /// What stands beside the paths, in the order in which it came.
    pub fn values(&self) -> impl Iterator<Item = T::Value> + '_ {
        self.runs.iter().flat_map(|run| {
            let mut cursor = Cursor::<_, T>::new(run);
            std::iter::from_fn(move || cursor.next_value())
        })
    }

    /// The directories of the files, each at least once.
    pub fn directories(&self) -> impl Iterator<Item = &[u8]> {
        self.runs.iter().map(Run::directory)
    }
}

impl<T: Listed> Extend<T> for FileList<T> {
    fn extend<I: IntoIterator<Item = T>>(&mut self, files: I) {
        files.into_iter().for_each(|file| self.push(&file));
    }
}

impl<T: Listed> FromIterator<T> for FileList<T> {
    fn from_iter<I: IntoIterator<Item = T>>(files: I) -> Self {
        let mut list = Self::default();
        list.extend(files);
        list
    }
}

impl<T: Listed> IntoIterator for FileList<T> {
    type Item = T;
    type IntoIter = IntoFiles<T>;

    /// The files in path order; memory is freed on the way.
    fn into_iter(mut self) -> IntoFiles<T> {
        self.runs.sort_by(|a, b| a.first.cmp(&b.first));
        IntoFiles(ByPath::new(self.runs))
    }
}

impl<T: Listed + serde::Serialize> serde::Serialize for FileList<T> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

/// The files of a list that is used up.
pub struct IntoFiles<T: Listed>(ByPath<Run, T>);

impl<T: Listed> Iterator for IntoFiles<T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        self.0.next()
    }
}

/// Runs, merged by path. Of two whose paths overlap one lies in a directory below the other's, or
/// they tell of one directory, so only a few are open at a time.
struct ByPath<R, T: Listed> {
    runs: std::iter::Peekable<std::vec::IntoIter<R>>,
    open: BinaryHeap<Reverse<Open<R, T>>>,
}

impl<R: Borrow<Run>, T: Listed> ByPath<R, T> {
    fn new(sorted: Vec<R>) -> Self {
        Self { runs: sorted.into_iter().peekable(), open: BinaryHeap::new() }
    }
}

impl<R: Borrow<Run>, T: Listed> Iterator for ByPath<R, T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        loop {
            let next = self.open.peek().map(|Reverse(open)| open.path());
            let comes =
                |run: &R| next.is_none_or(|next| run.borrow().first[..] <= *next.as_bytes());
            let Some(run) = self.runs.next_if(comes) else { break };
            let mut cursor = Cursor::new(run);
            if let Some(file) = cursor.next() {
                self.open.push(Reverse(Open { cursor, file }));
            }
        }
        let mut top = self.open.peek_mut()?;
        match top.0.cursor.next() {
            Some(after) => Some(std::mem::replace(&mut top.0.file, after)),
            None => Some(PeekMut::pop(top).0.file),
        }
    }
}

/// A run that is being read, and its next file.
struct Open<R, T: Listed> {
    cursor: Cursor<R, T>,
    file: T,
}

impl<R, T: Listed> Open<R, T> {
    fn path(&self) -> &RepoPath {
        self.file.split().0
    }
}

impl<R, T: Listed> PartialEq for Open<R, T> {
    fn eq(&self, other: &Self) -> bool {
        self.path() == other.path()
    }
}

impl<R, T: Listed> Eq for Open<R, T> {}

impl<R, T: Listed> PartialOrd for Open<R, T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<R, T: Listed> Ord for Open<R, T> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.path().cmp(other.path())
    }
}

/// Reads a run.
struct Cursor<R, T: Listed> {
    run: R,
    /// How much of its bytes is read, and how many files are left.
    at: usize,
    left: u32,
    /// The directory with a slash after it, then the name.
    path: Vec<u8>,
    before: Option<T::Value>,
}

impl<R: Borrow<Run>, T: Listed> Cursor<R, T> {
    fn new(run: R) -> Self {
        let left = run.borrow().count;
        let path = run.borrow().first.to_vec();
        Self { run, at: 0, left, path, before: None }
    }

    fn next(&mut self) -> Option<T> {
        let value = self.next_value()?;
        Some(T::join(RepoPath::new(self.path.clone()).ok()?, value))
    }

    fn next_value(&mut self) -> Option<T::Value> {
        self.left = self.left.checked_sub(1)?;
        let run = self.run.borrow();
        let mut bytes = Bytes(&run.bytes[self.at..]);
        let shared = run.name_at() + bytes.number() as usize;
        let rest = bytes.number() as usize;
        self.path.truncate(shared);
        self.path.extend_from_slice(bytes.some(rest));
        let value = T::Value::take(self.before.as_ref(), &mut bytes);
        self.at = run.bytes.len() - bytes.0.len();
        self.before = Some(value);
        self.before
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_stat() -> impl Strategy<Value = Stat> {
        let mode = proptest::sample::select(&[Mode::File, Mode::Executable, Mode::Symlink][..]);
        let time = prop_oneof![any::<i64>(), 1_000_000..1_000_300_i64];
        let number = || prop_oneof![any::<u64>(), 0..300_u64];
        (number(), time.clone(), time, number(), mode).prop_map(
            |(size, mtime_ns, ctime_ns, inode, mode)| Stat {
                size,
                mtime_ns,
                ctime_ns,
                inode,
                mode,
            },
        )
    }

    fn any_file() -> impl Strategy<Value = FileRef> {
        let size = prop_oneof![any::<u64>(), 0..300_u64];
        let mode = proptest::sample::select(&[Mode::File, Mode::Executable, Mode::Symlink][..]);
        (size, mode, any::<[u8; 32]>()).prop_map(|(size, mode, id)| FileRef {
            mode,
            size,
            file: FileId::from_bytes(id),
        })
    }

    fn any_path() -> impl Strategy<Value = RepoPath> {
        proptest::string::string_regex("[ab]([-/.]?[ab0])*")
            .unwrap()
            .prop_filter_map("a path", |text| RepoPath::new(text.into_bytes()).ok())
    }

    proptest! {
        /// In whatever order files come, and from whatever lists, they come out in path order, and
        /// by directory in the order of an index.
        #[test]
        fn what_comes_out_is_what_was_put_in(
            files in proptest::collection::btree_map(
                any_path(), (any_stat(), proptest::option::of(any_file())), 0..60),
            order in any::<u64>(),
            cut in 0..60_usize,
        ) {
            let found: Vec<_> = files.iter().map(|(path, value)| Found::join(path.clone(), *value)).collect();
            let mut mixed = found.clone();
            if order % 2 == 0 {
                mixed.sort_by_key(|found| {
                    found.path.as_bytes().iter().fold(order, |sum, byte| {
                        sum.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ u64::from(*byte)
                    })
                });
            }
            let (some, others) = mixed.split_at(cut.min(mixed.len()));
            let mut list: FileList<Found> = some.iter().cloned().collect();
            list.append(others.iter().cloned().collect());
            prop_assert_eq!(list.len(), found.len());
            let taken = |list: Vec<Found>| -> Vec<_> {
                list.into_iter().map(|found| (found.path, (found.stat, found.known))).collect()
            };
            let mut wanted = taken(found);
            prop_assert_eq!(taken(list.iter().collect()), wanted.clone());
            prop_assert_eq!(taken(list.clone().into_iter().collect()), wanted.clone());
            let mut by_directory = taken(list.by_directory().collect());
            wanted.sort_by(|(a, _), (b, _)| {
                (a.directory(), a.name()).cmp(&(b.directory(), b.name()))
            });
            // Runs of one directory that came from two lists may overlap: then each is in order.
            if order % 2 == 0 {
                by_directory.sort_by(|(a, _), (b, _)| {
                    (a.directory(), a.name()).cmp(&(b.directory(), b.name()))
                });
            }
            prop_assert_eq!(by_directory, wanted);
        }
    }

    #[test]
    fn a_run_ends_when_it_is_long_and_a_file_takes_little_room() {
        let stat = Stat {
            size: 7,
            mtime_ns: 1 << 60,
            ctime_ns: 1 << 60,
            inode: 1 << 20,
            mode: Mode::File,
        };
        let found = |number: u64| Found {
            path: RepoPath::new(format!("d/f{number:07}")).unwrap(),
            stat: Stat { inode: stat.inode + number, ..stat },
            known: None,
        };
        let list: FileList<Found> = (0..10_000).map(found).collect();
        assert_eq!(list.runs.len(), 3);
        assert!(list.runs.iter().map(|run| run.bytes.capacity()).sum::<usize>() < 120_000);
        assert!(list.into_iter().map(|found| found.path).eq((0..10_000).map(|n| found(n).path)));
    }
}
