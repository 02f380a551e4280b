//! A certificate on one page, as text and as HTML.

use std::fmt::Write as _;

use super::statement::{Predicate, Statement};

/// The rows of the page: a heading, or a name and what it is.
fn rows(statement: &Statement) -> Vec<(String, String)> {
    let one = &statement.predicate;
    let mut rows: Vec<(String, String)> = Vec::new();
    let mut row = |name: &str, value: String| rows.push((name.to_owned(), value));
    let means = match one.status.as_str() {
        "final" => "everybody who is known to have had it was looked at, or answered for",
        _ => "somebody who had it was not looked at yet",
    };
    row("number", format!("{} ({}: {means})", one.number, one.status));
    row("certificate", one.plan.clone());
    row("issued", one.issued.to_string());
    row("repository", one.store.clone());
    row("reason", one.reason.clone());
    row("legal basis", one.basis.clone().unwrap_or_else(|| "none given".into()));
    row("request", one.request.clone().unwrap_or_else(|| "none given".into()));
    row("requested by", format!("{}, {}", one.requester.name, one.planned));
    row("approvals needed", one.approvals_needed.to_string());
    for approver in &one.approvers {
        row("approved by", approver.name.clone());
    }
    let key = |person: &super::statement::Person| {
        let key = person.key.as_ref().map(|key| format!(" (key {key})"));
        format!("{}{}", person.name, key.unwrap_or_default())
    };
    row("carried out by", key(&one.executor));
    row("looked again", format!("{}: the same program, by another way", key(&one.verifier)));
    let scope = one.scope.as_ref().map_or("every dataset".into(), |name| format!("dataset {name}"));
    row(
        "selected in",
        format!(
            "{scope}; {} or rules, which may name people",
            count(one.selectors, "pattern, id", "patterns, ids")
        ),
    );
    amounts(one, &mut row);
    concerned(one, &mut row);
    let tool = &one.tool;
    let binary = tool.binary.as_ref().map(|hash| format!(", program {hash}")).unwrap_or_default();
    row("made by", format!("{} {}{binary}", tool.name, tool.version));
    row(
        "certificate before",
        one.previous.clone().unwrap_or_else(|| "none: it is the first".into()),
    );
    row("journal", format!("entry {}, {}", one.journal.number, one.journal.hash));
    rows
}

fn count(number: u64, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

fn versions(number: u64) -> String {
    count(number, "version", "versions")
}

/// Who had it, what was made of it, and what is not proven.
fn concerned(one: &Predicate, row: &mut dyn FnMut(&str, String)) {
    for holder in &one.holders {
        let level = holder.level.as_deref().map_or("no level", |level| match level {
            "L1" => "L1, absent when everything was read again",
            "L2" => "L2, cleared from the medium",
            other => other,
        });
        let (place, status, method) = (&holder.place, &holder.status, &holder.method);
        row(&holder.kind, format!("{place}: {status}, {level} ({method})"));
    }
    for used in &one.downstream {
        row(
            "made of it",
            format!(
                "{} {} used version {:.16}{}",
                used.kind,
                used.name,
                used.used.to_hex(),
                used.status.as_ref().map(|status| format!(": {status}")).unwrap_or_default()
            ),
        );
    }
    for what in &one.not_proven {
        row("not proven", what.clone());
    }
}

fn amounts(one: &Predicate, row: &mut dyn FnMut(&str, String)) {
    let (counts, tests) = (&one.counts, &one.tests);
    match counts.records {
        0 => row("files erased", counts.files.to_string()),
        some => {
            row("records erased", format!("{some}, in {}", count(counts.files, "file", "files")))
        }
    }
    row("commitment", format!("{} ({})", one.deleted.files.root, one.deleted.scheme));
    row("versions touched", format!("{}; their ids stay valid", one.versions.len()));
    row("chunks deleted", format!("{} ({} bytes)", counts.chunks_exclusive, counts.bytes.freed));
    let kept = counts.bytes.kept_shared;
    let because = match one.kept_for.as_deref() {
        None | Some([]) => String::new(),
        Some(all) => format!(", because of {}", versions(all.len() as u64)),
    };
    row(
        "chunks kept",
        format!("{} ({kept} bytes), content of other files too{because}", counts.chunks_shared),
    );
    if let Some(packs) = &counts.packs {
        row("packs", format!("{} dropped, {} written again", packs.dropped, packs.rewritten));
    }
    for phase in &one.phases {
        row(&phase.name, format!("{} to {}", phase.start, phase.end));
    }
    row("read back", format!("{} frames, {} bytes", tests.frames_read, tests.bytes_read));
    row("windows looked for", format!("{}, found {}", tests.canary_windows, tests.canary_hits));
    if tests.chunks_without_window > 0 {
        row("by hash only", format!("{} chunks or records", tests.chunks_without_window));
    }
    if let Some(bytes) = tests.device_bytes {
        row("raw device", format!("{bytes} bytes looked through"));
    }
    row("adding again", format!("refused for {}", count(tests.readd_refused, "file", "files")));
    row(
        "versions read",
        format!(
            "{} with {}",
            tests.retained_versions,
            count(tests.retained_files, "file", "files")
        ),
    );
    for residue in &one.residue {
        let (kind, action) = (&residue.kind, &residue.action);
        let (looked, found) = (residue.looked_at, residue.found);
        row("residue", format!("{kind}: {action}; looked at {looked}, found {found}"));
    }
}

/// A certificate as text.
pub fn page(statement: &Statement) -> String {
    let mut text = String::from("CERTIFICATE OF ERASURE\n\n");
    for (name, value) in rows(statement) {
        let value: String = value.chars().flat_map(shown).collect();
        let _ = writeln!(text, "{name:<19} {value}");
    }
    text
}

/// Control characters as escapes, so that nothing in a certificate moves the cursor.
fn shown(character: char) -> Vec<char> {
    match character.is_control() {
        true => character.escape_default().collect(),
        false => vec![character],
    }
}

/// A certificate as a page of HTML that needs nothing else.
pub fn html(statement: &Statement) -> String {
    let mut text = String::from(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <title>Certificate of erasure</title>\n<style>body{font:15px/1.5 system-ui,sans-serif;\
         max-width:52rem;margin:3rem auto;padding:0 1rem}th{text-align:left;vertical-align:top;\
         padding:.15rem 1.5rem .15rem .4rem;white-space:nowrap;font-weight:600}\
         td{overflow-wrap:anywhere;padding:.15rem .4rem;font-variant-numeric:tabular-nums}\
         table{border-collapse:collapse}tr{border-top:1px solid #ddd}\
         @media print{body{font-size:9pt;margin:0;max-width:none}tr{break-inside:avoid}}\
         </style></head>\n<body><h1>Certificate of erasure</h1>\n<table>\n",
    );
    // A name that stands for several rows stands there once.
    for rows in rows(statement).chunk_by(|one, next| one.0 == next.0) {
        for (number, (name, value)) in rows.iter().enumerate() {
            let _ = write!(text, "<tr>");
            if number == 0 {
                let _ = write!(text, "<th rowspan=\"{}\">{}</th>", rows.len(), escape(name));
            }
            let _ = writeln!(text, "<td>{}</td></tr>", escape(value));
        }
    }
    text.push_str("</table></body></html>\n");
    text
}

/// Text as HTML shows it, inside and outside of attributes.
pub(in crate::ops) fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            other => safe.push(other),
        }
    }
    safe
}
