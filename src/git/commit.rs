//! Commits, read as leniently as Git reads them: whoever wrote one, its tree and parents count.

use gix::ObjectId;
use gix::actor::SignatureRef;

use crate::model::{Author, Time};

use super::{Signature, text};

/// The parts of a commit as they are written.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Parts<'a> {
    pub(super) tree: ObjectId,
    pub(super) parents: Vec<ObjectId>,
    author: &'a [u8],
    committer: &'a [u8],
    encoding: Option<&'a [u8]>,
    message: &'a [u8],
}

impl<'a> Parts<'a> {
    /// Takes a commit apart.
    ///
    /// Only the ids have to be right. A person who is missing is empty; of several headers of one
    /// kind the first counts, as for Git.
    pub(super) fn of(bytes: &'a [u8], kind: gix::hash::Kind) -> Result<Self, &'static str> {
        let id = |hex: &[u8]| match ObjectId::from_hex(hex) {
            Ok(id) if id.kind() == kind => Ok(id),
            _ => Err("it names an object by what is no id"),
        };
        let (line, mut rest) = line(bytes);
        let tree = id(line.strip_prefix(b"tree ").ok_or("it does not begin with a tree")?)?;
        let mut parents = Vec::new();
        while let (header, after) = self::line(rest)
            && let Some(hex) = header.strip_prefix(b"parent ")
        {
            parents.push(id(hex)?);
            rest = after;
        }
        let (mut author, mut committer, mut encoding) = (None, None, None);
        while !rest.is_empty() {
            let (header, after) = self::line(rest);
            rest = after;
            if header.is_empty() {
                break;
            } else if let Some(value) = header.strip_prefix(b"author ") {
                author.get_or_insert(value);
            } else if let Some(value) = header.strip_prefix(b"committer ") {
                committer.get_or_insert(value);
            } else if let Some(value) = header.strip_prefix(b"encoding ") {
                encoding.get_or_insert(value);
            }
        }
        let (author, committer) = (author.unwrap_or_default(), committer.unwrap_or_default());
        Ok(Self { tree, parents, author, committer, encoding, message: rest })
    }

    pub(super) fn author(&self) -> Signature {
        signature(self.author, self.encoding)
    }

    pub(super) fn committer(&self) -> Signature {
        signature(self.committer, self.encoding)
    }

    pub(super) fn message(&self) -> String {
        text::decode(self.message, self.encoding)
    }

    /// When it was committed, in seconds since 1970; 0 if that is not understood.
    pub(super) fn seconds(&self) -> i64 {
        let parsed = SignatureRef::from_bytes_consuming(&mut &*self.committer).unwrap_or_default();
        parsed.time().map_or(0, |time| time.seconds)
    }
}

/// The first line without its end, and what follows.
fn line(bytes: &[u8]) -> (&[u8], &[u8]) {
    match bytes.iter().position(|byte| *byte == b'\n') {
        Some(end) => (&bytes[..end], &bytes[end + 1..]),
        None => (bytes, b""),
    }
}

/// Reads `Name <mail> seconds offset` as leniently as Git does. What has no brackets is a name.
pub(super) fn signature(bytes: &[u8], encoding: Option<&[u8]>) -> Signature {
    let parsed = SignatureRef::from_bytes_consuming(&mut &*bytes);
    let parsed = parsed
        .unwrap_or_else(|_| SignatureRef { name: bytes.into(), ..SignatureRef::default() })
        .trim();
    let name = text::person_part(&text::decode(parsed.name, encoding));
    let date = parsed.time().unwrap_or_default();
    Signature {
        author: Author {
            name: if name.is_empty() { "unknown".into() } else { name },
            email: text::person_part(&text::decode(parsed.email, encoding)),
        },
        time: Time::from_unix(date.seconds).unwrap_or(Time::EPOCH),
        utc_offset_minutes: date.offset / 60,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TREE: &str = "4b825dc642cb6eb9a060e54bf8d69288fbee4904";
    const OTHER: &str = "1111111111111111111111111111111111111111";

    fn parts(text: &str) -> Result<Parts<'_>, &'static str> {
        Parts::of(text.as_bytes(), gix::hash::Kind::Sha1)
    }

    #[test]
    fn only_the_ids_of_a_commit_have_to_be_right() {
        let signed = "gpgsig -----BEGIN\n author not this one\n \n -----END\n";
        let text = format!(
            "tree {TREE}\nparent {OTHER}\nparent {TREE}\nauthor A <a@x> 5 +0100\n\
             author B <b@x> 6 +0000\ncommitter nobody\n{signed}encoding latin1\n\nfirst\n\nparent x\n"
        );
        let parts = parts(&text).unwrap();
        assert_eq!(parts.parents.len(), 2);
        assert_eq!(parts.message(), "first\n\nparent x\n");
        let author = parts.author();
        assert_eq!((author.author.name.as_str(), author.utc_offset_minutes), ("A", 60));
        assert_eq!(parts.committer().author.name, "nobody");
        assert_eq!(parts.seconds(), 0);
        let bare = format!("tree {TREE}");
        let bare = self::parts(&bare).unwrap();
        assert_eq!((bare.message(), bare.author().author.name), (String::new(), "unknown".into()));
    }

    #[test]
    fn what_names_no_tree_is_no_commit() {
        let short = format!("tree {}\n\n", &TREE[1..]);
        let parent = format!("tree {TREE}\nparent x\n\n");
        for text in ["", "\n", "author A <a@x> 5 +0100\n\n", &short, &parent] {
            assert!(parts(text).is_err(), "{text}");
        }
    }
}
