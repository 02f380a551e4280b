//! The copy of the journal in a file beside the database, from which the catalogue can be rebuilt.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::{JournalEntry, JournalHead, PAGE};
use crate::catalogue::open::beside;
use crate::catalogue::{Catalogue, Error, Result};

/// Where the copy of the journal of `database` lies: `journal.jsonl` beside it.
pub fn copy_of(database: &Path) -> PathBuf {
    database.with_file_name("journal.jsonl")
}

impl Catalogue {
    /// Where the copy of the journal lies.
    pub fn journal_copy_path(&self) -> PathBuf {
        copy_of(self.path())
    }

    /// Appends to the copy of the journal what it does not have yet.
    ///
    /// The copy is not synced to disk: after a power cut it may lack the last entries, which the
    /// next call appends. A copy that is not of this journal is set aside under another name.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] for the copy; the journal itself is never changed.
    pub fn copy_journal(&self) -> Result<()> {
        let path = self.journal_copy_path();
        let io = |doing| {
            let path = path.clone();
            move |source| Error::Io { doing, path, source }
        };
        let mut file = open_copy(&path).map_err(io("open"))?;
        file.lock().map_err(io("lock"))?;
        let mut last = last_entry(&mut file).map_err(io("read"))?;
        if !self.has_entry(last.as_ref())? {
            let aside = beside(&path, &format!(".{:016x}", blake3_prefix(last.as_ref())));
            std::fs::rename(&path, &aside).map_err(io("set aside"))?;
            file = open_copy(&path).map_err(io("open"))?;
            file.lock().map_err(io("lock"))?;
            last = None;
        }
        let mut number = last.map_or(0, |entry| entry.number);
        end_line(&mut file).map_err(io("read"))?;
        loop {
            let page = self.journal(number + 1, u64::MAX, PAGE)?;
            let Some(end) = page.last() else { return Ok(()) };
            number = end.number;
            let mut text = String::new();
            for entry in &page {
                text.push_str(&entry.to_line());
                text.push('\n');
            }
            file.write_all(text.as_bytes()).map_err(io("write"))?;
        }
    }

    /// The number of the last entry of the copy; none if there is no copy with an entry.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] for a copy that is there and cannot be read.
    pub fn copied_head(&self) -> Result<Option<u64>> {
        let path = self.journal_copy_path();
        let io = |doing| {
            let path = path.clone();
            move |source| Error::Io { doing, path, source }
        };
        let mut file = match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file.map_err(io("open"))?,
        };
        Ok(last_entry(&mut file).map_err(io("read"))?.map(|entry| entry.number))
    }

    /// What is wrong with the copy of the journal. Nothing is if it lacks the last entries, or all: the
    /// next change appends them.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] for a copy that is there and cannot be read; the database's.
    pub fn check_copy(&self) -> Result<Option<String>> {
        let path = self.journal_copy_path();
        let mut last = None;
        let whole = match walk_copy(&path, &mut |entry| last = Some(entry)) {
            Err(Error::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                return Ok(None);
            }
            Err(Error::BadJournal { number, problem }) => {
                return Ok(Some(format!("its entry {number}: {problem}")));
            }
            whole => whole?,
        };
        if !self.has_entry(last.as_ref())? {
            let number = last.map_or(0, |entry| entry.number);
            return Ok(Some(format!("its entry {number} is not in the journal")));
        }
        Ok((!whole).then(|| "its last line is no entry".into()))
    }

    /// Whether the journal holds exactly this entry; nothing is held by every journal.
    fn has_entry(&self, entry: Option<&JournalEntry>) -> Result<bool> {
        match entry {
            None => Ok(true),
            Some(entry) => Ok(self
                .journal(entry.number, entry.number, 1)?
                .first()
                .is_some_and(|ours| ours.hash == entry.hash)),
        }
    }
}

fn blake3_prefix(entry: Option<&JournalEntry>) -> u64 {
    let text = entry.map(JournalEntry::to_line).unwrap_or_default();
    let mut prefix = [0; 8];
    prefix.copy_from_slice(&blake3::hash(text.as_bytes()).as_bytes()[..8]);
    u64::from_be_bytes(prefix)
}

fn open_copy(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).append(true).create(true).open(path)
}

/// The last whole line that is an entry. A line that was cut short is passed over.
fn last_entry(file: &mut File) -> io::Result<Option<JournalEntry>> {
    let length = file.metadata()?.len();
    let mut window = 64 << 10;
    loop {
        let start = length.saturating_sub(window);
        file.seek(SeekFrom::Start(start))?;
        let mut tail = Vec::new();
        Read::take(&mut *file, length - start).read_to_end(&mut tail)?;
        // The first line of the window may lack its beginning.
        let from = match start {
            0 => 0,
            _ => tail.iter().position(|&byte| byte == b'\n').map_or(tail.len(), |end| end + 1),
        };
        let lines = tail[from..].rsplit(|&byte| byte == b'\n');
        let mut found =
            lines.filter_map(|line| JournalEntry::from_line(std::str::from_utf8(line).ok()?));
        match found.next() {
            Some(entry) => return Ok(Some(entry)),
            None if start == 0 => return Ok(None),
            None => window *= 8,
        }
    }
}

/// Ends a line that was cut short, so that the next one stands alone.
fn end_line(file: &mut File) -> io::Result<()> {
    if file.metadata()?.len() == 0 {
        return Ok(());
    }
    file.seek(SeekFrom::End(-1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    if last == *b"\n" { Ok(()) } else { file.write_all(b"\n") }
}

/// Writes a copy of `entries` in the place of a damaged one, which is kept under another name.
///
/// # Errors
///
/// [`Error::Io`]. Stopped in between there may be no copy.
pub fn replace_copy(path: &Path, entries: &[JournalEntry]) -> Result<()> {
    let io = |doing| move |source| Error::Io { doing, path: path.to_path_buf(), source };
    let fresh = beside(path, ".new");
    let mut file = open_copy(&fresh).map_err(io("open"))?;
    file.set_len(0).map_err(io("write"))?;
    let mut out = io::BufWriter::new(&mut file);
    for entry in entries {
        writeln!(out, "{}", entry.to_line()).map_err(io("write"))?;
    }
    out.flush().map_err(io("write"))?;
    drop(out);
    file.sync_all().map_err(io("sync"))?;
    let aside = (1..)
        .map(|number| beside(path, &format!(".damaged-{number}")))
        .find(|aside| aside.symlink_metadata().is_err())
        .unwrap_or_else(|| beside(path, ".damaged"));
    std::fs::rename(path, &aside).map_err(io("set aside"))?;
    std::fs::rename(&fresh, path).map_err(io("write"))
}

/// The entries of a copy, be it damaged, that go on after `last`.
///
/// # Errors
///
/// [`Error::Io`].
pub fn copied_after(path: &Path, last: &JournalEntry) -> Result<Vec<JournalEntry>> {
    let io = |source| Error::Io { doing: "read", path: path.into(), source };
    let mut reader = BufReader::new(File::open(path).map_err(io)?);
    let mut head = last.head();
    let (mut entries, mut line) = (Vec::new(), Vec::new());
    loop {
        line.clear();
        if reader.read_until(b'\n', &mut line).map_err(io)? == 0 {
            return Ok(entries);
        }
        let entry = std::str::from_utf8(&line).ok().and_then(JournalEntry::from_line);
        if let Some(entry) = entry.filter(|entry| entry.problem_after(&head).is_none()) {
            head = entry.head();
            entries.push(entry);
        }
    }
}

/// Reads a copy of the journal, as it is written beside the database, and checks its chain.
///
/// Lines that were cut short by a crash and written again are passed over.
///
/// # Errors
///
/// [`Error::BadJournal`] names the first entry that does not follow from the one before it.
pub fn read_copy(path: &Path) -> Result<Vec<JournalEntry>> {
    let mut entries = Vec::new();
    walk_copy(path, &mut |entry| entries.push(entry))?;
    Ok(entries)
}

/// Gives the entries of a copy to `each`; says whether the last whole line is one.
fn walk_copy(path: &Path, each: &mut dyn FnMut(JournalEntry)) -> Result<bool> {
    let io = |source| Error::Io { doing: "read", path: path.into(), source };
    let mut reader = BufReader::new(File::open(path).map_err(io)?);
    let mut head = JournalHead::beginning();
    let mut line = Vec::new();
    let mut whole = true;
    loop {
        line.clear();
        if reader.read_until(b'\n', &mut line).map_err(io)? == 0 {
            return Ok(whole);
        }
        let text = std::str::from_utf8(&line).ok();
        let Some(entry) = text.and_then(JournalEntry::from_line) else {
            whole = line.last() != Some(&b'\n');
            continue;
        };
        whole = true;
        if let Some(problem) = entry.problem_after(&head) {
            return Err(Error::BadJournal { number: head.number + 1, problem });
        }
        head = entry.head();
        each(entry);
    }
}
