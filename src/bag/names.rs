//! What a file of the payload is called.
//!
//! A path that every program and every file system can take as it stands lies under `data/files/`.
//! Others lie under `data/odd/` by number; a list beside the payload says which is which. So no name
//! in a bag needs an escape, about which tools disagree.

use std::collections::HashSet;

use super::PAYLOAD;
use crate::model::RepoPath;

/// Gives names to paths, one after the other, no two of them equal anywhere.
#[derive(Debug, Default)]
pub struct Names {
    files: HashSet<Vec<u8>>,
    directories: HashSet<Vec<u8>>,
    odd: u64,
}

/// Longer names and paths are odd.
const LONGEST_NAME: usize = 200;
const LONGEST_PATH: usize = 900;

impl Names {
    /// The name of a path's content, in the bag.
    pub fn name(&mut self, path: &RepoPath) -> String {
        match std::str::from_utf8(path.as_bytes()) {
            Ok(text) if is_plain(text, path) && self.take(path) => {
                format!("{PAYLOAD}/files/{text}")
            }
            _ => {
                self.odd += 1;
                format!("{PAYLOAD}/odd/{:08}", self.odd)
            }
        }
    }

    /// Whether nothing has the name, or needs it for a directory, even where case is not told apart.
    fn take(&mut self, path: &RepoPath) -> bool {
        let folded = path.folded();
        let slashes = folded.iter().enumerate().filter(|(_, byte)| **byte == b'/');
        let above: Vec<&[u8]> = slashes.map(|(at, _)| &folded[..at]).collect();
        let free = !self.files.contains(&folded)
            && !self.directories.contains(&folded)
            && !above.iter().any(|directory| self.files.contains(*directory));
        if free {
            for directory in above {
                if !self.directories.contains(directory) {
                    self.directories.insert(directory.to_vec());
                }
            }
            self.files.insert(folded);
        }
        free
    }
}

/// Whether a path can stand in a manifest and in any file system as it is.
fn is_plain(text: &str, path: &RepoPath) -> bool {
    let plain = |c: char| match c {
        c if c.is_ascii() => c.is_ascii_alphanumeric() || "/ ._-+=,@()[]{}~#!&'".contains(c),
        c => c.is_alphanumeric(),
    };
    let fits = |part: &str| {
        part.len() <= LONGEST_NAME && !part.starts_with([' ', '~']) && !part.ends_with([' ', '.'])
    };
    // A letter with an accent may be written in two ways, and some file systems change one of them.
    let composed = || text.to_lowercase().as_bytes() == path.folded();
    text.len() <= LONGEST_PATH && text.chars().all(plain) && text.split('/').all(fits) && composed()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(bytes: &[u8]) -> RepoPath {
        RepoPath::new(bytes).expect("a path")
    }

    #[test]
    fn what_every_program_can_take_keeps_its_name_and_the_rest_gets_a_number() {
        let mut names = Names::default();
        for plain in ["a/b.csv", "a/b c (1).txt", "café/x", "-rf", "日本/語.txt"] {
            assert_eq!(names.name(&path(plain.as_bytes())), format!("data/files/{plain}"));
        }
        let odd: [&[u8]; 11] = [
            b"50%.csv",
            b"a\nb",
            b"a\\b",
            b"a:b",
            b"x\xff",
            "cafe\u{301}/x".as_bytes(),
            b" a",
            b"b ",
            b"~x",
            b"A/b.CSV",
            "x\u{1f600}".as_bytes(),
        ];
        for (odd, number) in odd.iter().zip(1..) {
            assert_eq!(names.name(&path(odd)), format!("data/odd/{number:08}"), "{odd:?}");
        }
    }

    #[test]
    fn a_file_and_a_directory_do_not_get_one_name() {
        let mut names = Names::default();
        assert_eq!(names.name(&path(b"X/y")), "data/files/X/y");
        assert_eq!(names.name(&path(b"x")), "data/odd/00000001");
        assert_eq!(names.name(&path(b"z")), "data/files/z");
        assert_eq!(names.name(&path(b"Z/a")), "data/odd/00000002");
    }
}
