//! The choice of a profile, and the constants of each.

use crate::model::Profile;

/// How many bytes at the beginning of a file decide its profile.
pub const PROFILE_BYTES: usize = 4096;

/// How long chunks are, in bytes. Only the last chunk of a file may be shorter than `min`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChunkSizes {
    /// No cut is looked for before this length.
    pub min: usize,
    /// Cuts are rarer before this length and more frequent after it. What is left at the end of a
    /// file and is not longer than this is one chunk.
    pub target: usize,
    /// No chunk is longer.
    pub max: usize,
}

/// One profile's rule: all that the cut points depend on, apart from the bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rule {
    pub(super) sizes: ChunkSizes,
    /// The bits that must be zero for a cut at or before the target.
    pub(super) strict_mask: u64,
    /// The bits that must be zero for a cut after the target.
    pub(super) loose_mask: u64,
    /// Whether cuts move on to the end of a line.
    pub(super) at_line_ends: bool,
}

const KIB: usize = 1024;

const LINES: Rule = Rule {
    sizes: ChunkSizes { min: 4 * KIB, target: 16 * KIB, max: 64 * KIB },
    strict_mask: top_bits(15),
    loose_mask: top_bits(13),
    at_line_ends: true,
};

const BYTES: Rule = Rule {
    sizes: ChunkSizes { min: 8 * KIB, target: 64 * KIB, max: 128 * KIB },
    strict_mask: top_bits(17),
    loose_mask: top_bits(15),
    at_line_ends: false,
};

const fn top_bits(count: u32) -> u64 {
    u64::MAX << (64 - count)
}

impl Profile {
    /// The profile of a file that begins with `first_bytes`: its first [`PROFILE_BYTES`] bytes, or
    /// all of it if it is shorter. More bytes than that change nothing.
    ///
    /// Lines if they are UTF-8 (the last character may be cut off) without control characters
    /// other than tab, line feed, form feed and carriage return; Bytes otherwise, and if there
    /// are none.
    pub fn of(first_bytes: &[u8]) -> Self {
        let head = &first_bytes[..first_bytes.len().min(PROFILE_BYTES)];
        let is_utf8 = match std::str::from_utf8(head) {
            Ok(_) => true,
            Err(error) => error.error_len().is_none(),
        };
        if !head.is_empty() && is_utf8 && !head.iter().any(|&byte| is_control(byte)) {
            Self::Lines
        } else {
            Self::Bytes
        }
    }

    /// How long the chunks of this profile are.
    pub const fn sizes(self) -> ChunkSizes {
        self.rule().sizes
    }

    pub(super) const fn rule(self) -> Rule {
        match self {
            Self::Lines => LINES,
            Self::Bytes => BYTES,
        }
    }
}

fn is_control(byte: u8) -> bool {
    matches!(byte, 0..=8 | 11 | 14..=31 | 127)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_in_lines_is_told_from_bytes_by_its_beginning_alone() {
        let lines = |bytes: &[u8]| Profile::of(bytes) == Profile::Lines;
        assert!(lines(b"{\"a\": 1}\r\n"));
        assert!(lines("问题\t答案\n\x0c".as_bytes()));
        assert!(lines(&"é".as_bytes()[..1]), "a character cut at the end");
        assert!(lines(b"no line end"));
        assert!(!lines(b""));
        assert!(!lines(b"\x89PNG\r\n\x1a\n"));
        assert!(!lines(b"a\xffb"));
        for control in [0, 8, 11, 14, 27, 31, 127] {
            assert!(!lines(&[b'a', control]), "{control}");
        }
    }

    #[test]
    fn only_the_first_4096_bytes_count() {
        let mut bytes = vec![b'a'; PROFILE_BYTES];
        bytes.push(0);
        assert_eq!(Profile::of(&bytes), Profile::Lines);
        bytes[PROFILE_BYTES - 1] = 0;
        assert_eq!(Profile::of(&bytes), Profile::Bytes);
    }

    #[test]
    fn codes_are_fixed() {
        for (profile, code) in [(Profile::Lines, 1), (Profile::Bytes, 2)] {
            assert_eq!(profile.code(), code);
            assert_eq!(Profile::from_code(code), Some(profile));
        }
        assert_eq!(Profile::from_code(0), None);
        assert_eq!(Profile::from_code(3), None);
    }
}
