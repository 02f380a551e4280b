//! From the bytes in Git's objects to text.

use encoding_rs::Encoding;

/// `bytes` as text, in the encoding that is named; what does not fit it becomes U+FFFD.
///
/// Without a name that is known it is UTF-8; bytes that are not, are read as Windows-1252, which
/// covers Latin-1, what old tools wrote without saying so.
pub(super) fn decode(bytes: &[u8], encoding: Option<&[u8]>) -> String {
    let named = encoding.and_then(Encoding::for_label).filter(|named| *named != encoding_rs::UTF_8);
    if let Some(named) = named {
        return named.decode_without_bom_handling(bytes).0.into_owned();
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => text.into(),
        Err(_) => encoding_rs::WINDOWS_1252.decode_without_bom_handling(bytes).0.into_owned(),
    }
}

/// A name or mail address without what would break the form `Name <mail>`: no brackets, no control
/// characters, no white space around it.
pub(super) fn person_part(text: &str) -> String {
    let plain: String =
        text.chars().filter(|c| !matches!(c, '<' | '>') && !c.is_control()).collect();
    plain.trim().into()
}

/// An address without what could be a password: whom it names before the host, except the plain
/// user of ssh, and what follows `?` or `#`.
pub(super) fn without_secrets(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.into() };
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let host = match host.rsplit_once('@') {
        Some((user, host)) if scheme.ends_with("ssh") => {
            format!("{}@{host}", user.split(':').next().unwrap_or_default())
        }
        Some((_, host)) => host.into(),
        None => host.into(),
    };
    format!("{scheme}://{host}{path}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_kept_without_its_secrets() {
        for (url, expected) in [
            ("https://host.org/a.git", "https://host.org/a.git"),
            ("https://ann:word@host.org/a.git", "https://host.org/a.git"),
            ("https://token@host.org:80/a@b.git?key=1", "https://host.org:80/a@b.git"),
            ("ssh://git:word@host.org/a", "ssh://git@host.org/a"),
            ("git@host.org:a/b.git", "git@host.org:a/b.git"),
            ("/data/a?b#c", "/data/a?b#c"),
        ] {
            assert_eq!(without_secrets(url), expected);
        }
    }

    #[test]
    fn text_is_read_in_the_encoding_it_says() {
        assert_eq!(decode("é".as_bytes(), None), "é");
        assert_eq!(decode(b"\xe9", Some(b"ISO-8859-1")), "é");
        assert_eq!(decode(b"\xe9", Some(b"latin1")), "é");
        assert_eq!(decode(b"\x93\xfa\x96\x7b", Some(b"Shift_JIS")), "日本");
        assert_eq!(decode(b"caf\xe9", Some(b"no such encoding")), "café");
        assert_eq!(decode(b"caf\xe9", None), "café");
    }

    #[test]
    fn a_person_survives_being_written_and_read_again() {
        assert_eq!(person_part(" A <b>\nc "), "A bc");
    }
}
