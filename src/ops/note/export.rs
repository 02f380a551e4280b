//! Notes as a Markdown document.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::{Note, NoteKind, list, place};
use crate::ops::Result;
use crate::repo::Repository;

/// The notes as a Markdown document, by kind, each with links to those that it is about and that
/// are about it.
///
/// # Errors
///
/// As [`list`].
pub fn export(repository: &Repository, kind: Option<NoteKind>) -> Result<String> {
    let notes = list(repository, None, kind)?;
    let mut answers: BTreeMap<u64, Vec<&Note>> = BTreeMap::new();
    for note in &notes {
        if let Some(about) = note.about {
            answers.entry(about).or_default().push(note);
        }
    }
    let titles: BTreeMap<u64, &Note> =
        notes.iter().filter_map(|note| Some((note.number?, note))).collect();
    let mut page = String::from("# Notes\n");
    for kind in NoteKind::ALL {
        let of_kind: Vec<&Note> = notes.iter().filter(|note| note.kind == kind).collect();
        if of_kind.is_empty() {
            continue;
        }
        let _ = write!(page, "\n## {}\n", kind.title().1);
        for note in of_kind {
            section(&mut page, note, &titles, &answers);
        }
    }
    Ok(page)
}

fn section(
    page: &mut String,
    note: &Note,
    titles: &BTreeMap<u64, &Note>,
    answers: &BTreeMap<u64, Vec<&Note>>,
) {
    let number = note.number.unwrap_or_default();
    let mut lines = note.text.lines();
    let first = lines.next().unwrap_or_default();
    let rest = lines.collect::<Vec<_>>().join("\n");
    // Writing to a string does not fail.
    let _ = write!(page, "\n<a id=\"note-{number}\"></a>\n\n### {number}: {}\n\n", heading(first));
    let _ = writeln!(page, "*{}, {}, about {}*", note.actor, note.time, place(&note.target));
    if !rest.trim().is_empty() {
        let _ = write!(page, "\n{}\n", body(rest.trim_matches('\n')));
    }
    let mut links = Vec::new();
    if let Some(other) = note.about.and_then(|about| titles.get(&about)) {
        links.push(format!("- {}: {}", answer_to(note.kind), link(other)));
    }
    for other in answers.get(&number).into_iter().flatten() {
        links.push(format!("- {}: {}", other.kind.title().0, link(other)));
    }
    if !links.is_empty() {
        let _ = write!(page, "\n{}\n", links.join("\n"));
    }
}

fn answer_to(kind: NoteKind) -> &'static str {
    if kind == NoteKind::Solution { "Solves" } else { "About" }
}

fn link(note: &Note) -> String {
    let number = note.number.unwrap_or_default();
    let first = heading(note.text.lines().next().unwrap_or_default());
    let text = first.replace('[', "\\[").replace(']', "\\]");
    format!("[{number}: {text}](#note-{number})")
}

/// Without what would end a heading or begin another element.
fn heading(line: &str) -> String {
    let line = line.trim().replace('<', "&lt;");
    // Signs at its end close a heading and are not shown.
    match line.strip_suffix('#') {
        Some(before) => format!("{before}\\#"),
        None => line,
    }
}

/// The rest of a note, as its writer meant it, but for what would change the order of the page: no line
/// of it is a heading, and no code goes on behind its end.
fn body(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut fence: Option<&str> = None;
    let mut is_paragraph = false;
    for line in text.lines() {
        let words = line.trim_start_matches(' ');
        let is_code = line.len() - words.len() > 3 || line.starts_with('\t');
        let mark = (!is_code).then(|| fence_of(words)).flatten();
        let is_escaped = fence.is_none()
            && !is_code
            && (is_heading(words) || (is_paragraph && is_underline(words)));
        match (fence, mark) {
            (None, Some(mark)) => fence = Some(mark),
            (Some(open), Some(mark)) if mark.starts_with(open) && words.trim_end() == mark => {
                fence = None;
            }
            _ => {}
        }
        is_paragraph = fence.is_none() && mark.is_none() && !words.trim().is_empty();
        if !out.is_empty() {
            out.push('\n');
        }
        let (before, words) = line.split_at(line.len() - words.len());
        out.extend([before, if is_escaped { "\\" } else { "" }, words]);
    }
    if let Some(open) = fence {
        out.extend(["\n", open]);
    }
    out
}

/// The signs that begin or end a block of code.
fn fence_of(words: &str) -> Option<&str> {
    let sign = words.chars().next().filter(|sign| matches!(sign, '`' | '~'))?;
    let len = words.len() - words.trim_start_matches(sign).len();
    let is_fence = len >= 3 && (sign == '~' || !words[len..].contains('`'));
    is_fence.then(|| &words[..len])
}

/// Whether it would be a heading: one to six signs, and a space or nothing.
fn is_heading(words: &str) -> bool {
    let rest = words.trim_start_matches('#');
    (1..=6).contains(&(words.len() - rest.len()))
        && (rest.trim().is_empty() || rest.starts_with([' ', '\t']))
}

/// Whether it would make a heading of the paragraph above.
fn is_underline(words: &str) -> bool {
    let words = words.trim_end();
    let is_all = |sign: u8| words.bytes().all(|byte| byte == sign);
    !words.is_empty() && (is_all(b'=') || is_all(b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_of_a_note_is_a_heading_of_the_page() {
        for (text, expected) in [
            (
                "# one\n  ## two ##\n#\n####### seven\n#tag",
                "\\# one\n  \\## two ##\n\\#\n####### seven\n#tag",
            ),
            ("a\n===\nb\n---\n\n---", "a\n\\===\nb\n\\---\n\n---"),
            ("    # code", "    # code"),
            ("```sh\n# comment\n```\n# no", "```sh\n# comment\n```\n\\# no"),
            ("~~~~\n~~~\n# comment", "~~~~\n~~~\n# comment\n~~~~"),
            ("```\n``` x\n# comment", "```\n``` x\n# comment\n```"),
            ("a `x` b\n- item\n> # quoted", "a `x` b\n- item\n> # quoted"),
        ] {
            assert_eq!(body(text), expected);
        }
        assert_eq!(heading("C #"), "C \\#");
        assert_eq!(heading(" a <b> "), "a &lt;b>");
    }
}
