//! Facts about erased files in the bytes of a database, found without the database's own reader.
//!
//! `SQLite` writes the columns of a row one after the other, in the table and in its key, in the log
//! and in pages that are free: a fact is the file's id in hexadecimal with the analyser's name right
//! behind it. The id alone is no fact: the journal and the presence of the file name it as well.

use std::collections::{BTreeSet, HashSet};
use std::io::{self, Read};
use std::path::Path;

use crate::catalogue::RawFile;
use crate::model::FileId;
use crate::repo::ANALYSERS;

/// The length of an id in hexadecimal.
const ID: usize = 64;
/// No analyser has a longer name.
const LONGEST_NAME: usize = 32;
/// So much is looked at at once.
const PIECE: usize = 1 << 20;

/// Those of `files` of which the bytes at `path` hold a fact.
pub(super) fn facts_in(path: &Path, files: &HashSet<FileId>) -> io::Result<BTreeSet<FileId>> {
    let mut source = RawFile::open(path)?;
    let (mut buffer, mut kept, mut found) = (vec![0; PIECE], 0, BTreeSet::new());
    loop {
        let read = source.read(&mut buffer[kept..])?;
        if read == 0 {
            return Ok(found);
        }
        let end = kept + read;
        for name in ANALYSERS {
            look(&buffer[..end], name.as_bytes(), files, &mut found);
        }
        // A fact may lie across two reads.
        kept = end.min(ID + LONGEST_NAME);
        buffer.copy_within(end - kept..end, 0);
    }
}

fn look(bytes: &[u8], name: &[u8], files: &HashSet<FileId>, found: &mut BTreeSet<FileId>) {
    let Some(behind) = bytes.get(ID..) else { return };
    for (start, _) in behind.windows(name.len()).enumerate().filter(|(_, word)| *word == name) {
        let id = std::str::from_utf8(&bytes[start..start + ID]).ok();
        let id = id.and_then(|text| text.parse().ok());
        found.extend(id.filter(|id| files.contains(id)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fact_is_found_wherever_it_stands_and_an_id_alone_is_none() {
        assert!(ANALYSERS.iter().all(|name| !name.is_empty() && name.len() <= LONGEST_NAME));
        let (sought, other) = (FileId::of(b"one"), FileId::of(b"two"));
        let files = HashSet::from([sought]);
        let place = tempfile::NamedTempFile::new().unwrap();
        let said = |bytes: &[u8]| {
            std::io::Write::write_all(&mut place.reopen().unwrap(), bytes).unwrap();
            let found = facts_in(place.path(), &files).unwrap();
            place.as_file().set_len(0).unwrap();
            found.into_iter().collect::<Vec<_>>()
        };
        for name in ANALYSERS {
            for before in [0, 1, PIECE - 100, PIECE - 64, PIECE - 30, PIECE - 1, PIECE, 3 * PIECE] {
                let row = format!("{sought}{name}rest");
                assert_eq!(said(&[&vec![b'7'; before], row.as_bytes()].concat()), [sought]);
            }
            assert!(said(format!("{other}{name}").as_bytes()).is_empty());
            assert!(said(format!("{name}{sought}").as_bytes()).is_empty());
        }
        assert!(said(format!("{sought}erased").as_bytes()).is_empty());
        assert!(said(b"").is_empty());
    }
}
