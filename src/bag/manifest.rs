//! Manifests: one line for each file, its digest and its name.

use std::collections::BTreeMap;
use std::fmt::Write as _;

/// What a manifest says: the digest by the name.
pub(super) type Lines = BTreeMap<String, String>;

/// A manifest as text: sorted by name, digests in lower case.
pub(super) fn write<'a>(lines: impl Iterator<Item = (&'a str, String)>) -> String {
    let sorted: BTreeMap<&str, String> = lines.collect();
    let mut text = String::new();
    for (name, digest) in sorted {
        // Writing to memory does not fail.
        let _ = writeln!(text, "{digest}  {name}");
    }
    text
}

/// The manifest that `text` is; none if it is not exactly as we write one, so that no byte of it
/// can change unseen.
pub(super) fn read(text: &[u8]) -> Option<Lines> {
    let text = std::str::from_utf8(text).ok()?;
    let mut lines = Lines::new();
    let mut last = "";
    for line in text.split_inclusive('\n') {
        let (digest, name) = line.strip_suffix('\n')?.split_once("  ")?;
        let hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        if digest.len() != 64 || !digest.bytes().all(hex) || name <= last {
            return None;
        }
        last = name;
        lines.insert(name.to_owned(), digest.to_owned());
    }
    Some(lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_reads_back_and_no_other_form_of_it_does() {
        let digests = ["a".repeat(64), "0".repeat(64)];
        let lines = || ["data/b", "data/a b"].into_iter().zip(digests.clone());
        let text = write(lines());
        let read_back = read(text.as_bytes()).expect("it reads back");
        assert_eq!(read_back.len(), 2);
        assert_eq!(read_back["data/b"], digests[0]);
        for at in 0..text.len() {
            for bit in 0..8 {
                let mut other = text.clone().into_bytes();
                other[at] ^= 1 << bit;
                let same = read(&other).is_some_and(|lines| lines == read_back);
                assert!(!same, "bit {bit} of byte {at} counts for nothing");
            }
        }
    }
}
