//! Words of scripts that put no spaces between them.
//!
//! The index of words takes a run of letters for one word, and would find a Chinese sentence by its
//! beginning only. So every character of these scripts stands alone in it, and what is looked for is
//! taken apart in the same way, into characters that must follow each other.

use std::borrow::Cow;

/// `text` with a space on both sides of every character that may be a word by itself.
pub(super) fn apart(text: &str) -> Cow<'_, str> {
    if !text.chars().any(stands_alone) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() * 3 / 2);
    let mut open = false;
    for c in text.chars() {
        let alone = stands_alone(c);
        let is_space = c.is_whitespace();
        if (alone || open) && !is_space && !out.ends_with(char::is_whitespace) && !out.is_empty() {
            out.push(' ');
        }
        out.push(c);
        open = alone;
    }
    Cow::Owned(out)
}

/// Han, kana, Bopomofo, Thai, Lao, Burmese and Khmer. Hangul has spaces between its words.
fn stands_alone(c: char) -> bool {
    matches!(u32::from(c),
        0x0E00..=0x0EFF | 0x1000..=0x109F | 0x1780..=0x17FF
        | 0x2E80..=0x2FDF | 0x3005..=0x3007 | 0x3021..=0x3029 | 0x3031..=0x3035 | 0x3038..=0x303B
        | 0x3041..=0x3096 | 0x309D..=0x309F | 0x30A1..=0x30FA | 0x30FC..=0x312F
        | 0x31A0..=0x31BF | 0x31F0..=0x31FF | 0x3400..=0x4DBF | 0x4E00..=0x9FFF
        | 0xF900..=0xFAFF | 0xFF66..=0xFF9F | 0x2_0000..=0x3_FFFF)
}

/// What the index is asked for: every word, and with `*` at its end whatever begins so. None if
/// there is no word.
pub(super) fn all_of(words: &str) -> Option<String> {
    let mut asked = Vec::new();
    for word in words.split_whitespace().filter(|word| word.contains(char::is_alphanumeric)) {
        let (stem, star) = match word.strip_suffix('*') {
            Some(stem) => (stem, "*"),
            None => (word, ""),
        };
        let quoted = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
        asked.push(match apart(stem) {
            Cow::Borrowed(stem) => format!("{}{star}", quoted(stem)),
            // What was recorded before characters stood alone is found by its beginning.
            Cow::Owned(cut) => format!("({}{star} OR {}*)", quoted(&cut), quoted(stem)),
        });
    }
    Some(asked.join(" AND ")).filter(|asked| !asked.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_without_spaces_stand_alone_and_the_rest_stays() {
        for (text, expected) in [
            ("", ""),
            ("plain words", "plain words"),
            ("清洗", "清 洗"),
            ("用v2清洗。完", "用 v2 清 洗 。 完"),
            ("第 3 批\n去重", "第 3 批\n去 重"),
            ("データを洗う", "デ ー タ を 洗 う"),
            ("한국어 데이터", "한국어 데이터"),
            ("𠮷x", "𠮷 x"),
        ] {
            assert_eq!(apart(text), expected.to_owned(), "{text}");
        }
    }

    #[test]
    fn what_is_looked_for_is_quoted() {
        for (words, expected) in [
            (" - \" * ", None),
            ("half empty", Some("\"half\" AND \"empty\"")),
            ("a\"b*", Some("\"a\"\"b\"*")),
            ("清洗", Some("(\"清 洗\" OR \"清洗\"*)")),
            ("v2清洗* x", Some("(\"v2 清 洗\"* OR \"v2清洗\"*) AND \"x\"")),
        ] {
            assert_eq!(all_of(words).as_deref(), expected, "{words}");
        }
    }
}
