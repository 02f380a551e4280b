//! Which format a file has.

use super::lines::BOM;

/// How the records of a file are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// One JSON document on each line.
    JsonLines,
    /// RFC 4180 with a header: fields, quoted where needed, between delimiters.
    Csv {
        /// The byte between two fields: a comma, a semicolon or a tab.
        delimiter: u8,
    },
    /// Apache Parquet.
    Parquet,
    /// Lines of text; each is a record.
    Text,
    /// Nothing in which records could be found.
    Other,
}

/// So many bytes from the beginning of a file are enough for [`Format::detect`].
pub const DETECT_BYTES: usize = 4096;

impl Format {
    /// The format of a file with this path that begins with these bytes.
    ///
    /// The ending of the path decides, unless the bytes cannot be of that format. Whatever else is
    /// UTF-8 without the byte 0 is [`Format::Text`].
    pub fn detect(path: &[u8], head: &[u8]) -> Self {
        let name = path.rsplit(|byte| *byte == b'/').next().unwrap_or(path);
        let dot = memchr::memrchr(b'.', name);
        let ending = dot.map_or(&b""[..], |dot| &name[dot + 1..]).to_ascii_lowercase();
        if head.starts_with(b"PAR1") || matches!(&ending[..], b"parquet" | b"pq") {
            return Self::Parquet;
        }
        let head = &head[..head.len().min(DETECT_BYTES)];
        if !is_text(head) {
            return Self::Other;
        }
        match &ending[..] {
            b"jsonl" | b"ndjson" | b"jsonlines" | b"ldjson" | b"json-lines" => Self::JsonLines,
            b"tsv" | b"tab" => Self::Csv { delimiter: b'\t' },
            b"csv" => Self::Csv { delimiter: delimiter(head) },
            _ => Self::Text,
        }
    }
}

/// Whether the bytes can begin a text: UTF-8 that may be cut off, and no byte 0.
fn is_text(head: &[u8]) -> bool {
    if memchr::memchr(0, head).is_some() {
        return false;
    }
    match std::str::from_utf8(head) {
        Ok(_) => true,
        Err(error) => error.error_len().is_none() && head.len() - error.valid_up_to() < 4,
    }
}

/// The delimiter of a file of that header: the most frequent one outside of quotes.
fn delimiter(head: &[u8]) -> u8 {
    let head = head.strip_prefix(BOM).unwrap_or(head);
    let mut counts = [(b',', 0), (b';', 0), (b'\t', 0)];
    let mut quoted = false;
    for byte in head {
        match byte {
            b'"' => quoted = !quoted,
            b'\n' | b'\r' if !quoted => break,
            _ if quoted => {}
            _ => counts.iter_mut().filter(|(it, _)| it == byte).for_each(|(_, n)| *n += 1),
        }
    }
    // Of equals the first, so that a header of one column has a comma.
    counts.iter().rev().max_by_key(|(_, count)| *count).map_or(b',', |(byte, _)| *byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ending_decides_unless_the_bytes_cannot_be_so() {
        let csv = |delimiter| Format::Csv { delimiter };
        let cases: &[(&str, &[u8], Format)] = &[
            ("a/b.jsonl", b"{}\n", Format::JsonLines),
            ("a.NDJSON", b"", Format::JsonLines),
            ("a.csv", b"id,name\n1,2;3\n", csv(b',')),
            ("a.csv", b"\xEF\xBB\xBFid;\"a,b,c\";name\n", csv(b';')),
            ("a.csv", b"one\n1\n", csv(b',')),
            ("a.csv", b"id\tname\n", csv(b'\t')),
            ("a.tsv", b"id,name\n", csv(b'\t')),
            ("train-00000-of-00001", b"PAR1\x15", Format::Parquet),
            ("broken.parquet", b"", Format::Parquet),
            ("a.jsonl", b"\xFF\xFE{\0}\0", Format::Other),
            ("a.csv", b"\x1F\x8B\x08", Format::Other),
            ("csv", b"words", Format::Text),
            ("README", "h\u{e9}".as_bytes(), Format::Text),
            ("cut", b"h\xC3", Format::Text),
            ("latin", b"h\xE9llo", Format::Other),
            ("image.png", b"\x89PNG\r\n\x1a\n\0\0", Format::Other),
        ];
        for (path, head, expected) in cases {
            assert_eq!(Format::detect(path.as_bytes(), head), *expected, "{path}");
        }
    }
}
