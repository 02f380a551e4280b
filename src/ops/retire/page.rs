//! A report as a page of HTML that needs nothing else.

use std::fmt::Write as _;

use super::report::Report;
use crate::ops::erase::escape;

type Rows = Vec<(String, String)>;

/// The page.
pub(super) fn html(report: &Report) -> String {
    let mut text = String::from(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <title>Report of a retirement</title>\n<style>body{font:15px/1.5 system-ui,sans-serif;\
         max-width:60rem;margin:3rem auto;padding:0 1rem}th{text-align:left;vertical-align:top;\
         padding-right:1.5rem;white-space:nowrap;font-weight:600}td{overflow-wrap:anywhere}\
         tr:nth-child(even){background:#f6f6f6}</style></head>\n<body>",
    );
    let target = report.plan.target().show();
    let _ = writeln!(text, "<h1>Retirement of {}</h1>", escape(&target));
    for (title, rows) in [
        ("What was done", overview(report)),
        ("Archived", archived(report)),
        ("Destroyed", destroyed(report)),
        ("Who is concerned", concerned(report)),
        ("Who and when", steps(report)),
    ] {
        let _ = writeln!(text, "<h2>{title}</h2>\n<table>");
        for (name, value) in rows {
            let (name, value) = (escape(&name), escape(&value));
            let _ = writeln!(text, "<tr><th>{name}</th><td>{value}</td></tr>");
        }
        text.push_str("</table>\n");
    }
    text.push_str("</body></html>\n");
    text
}

fn row(name: &str, value: impl Into<String>) -> (String, String) {
    (name.to_owned(), value.into())
}

fn overview(report: &Report) -> Rows {
    let plan = &report.plan;
    let kept = report.kept;
    vec![
        row("plan", &report.id),
        row("reason", &plan.reason),
        row("state", report.state.as_str()),
        row("successor", plan.successor.as_deref().unwrap_or("none")),
        row("kept here", format!("{} contents, {} bytes", kept.files, kept.bytes)),
        row("store", &plan.store),
        row("journal", format!("entry {}, {}", report.journal, report.journal_hash)),
        row("written", format!("{} by {}", report.time, report.by)),
    ]
}

fn archived(report: &Report) -> Rows {
    let each = report.archives.iter().map(|one| {
        let (place, digest) = (one.place.display(), &one.digest);
        let text = format!(
            "{place}: {} files, {} bytes, read back {}, digest {digest}",
            one.files, one.bytes, one.verified
        );
        row(&format!("{:.12}", one.version.to_hex()), text)
    });
    each.collect()
}

fn destroyed(report: &Report) -> Rows {
    let gone = report.destroyed;
    let mut rows = vec![row("contents", format!("{}, {} bytes", gone.files, gone.bytes))];
    if let Some(one) = &report.certificate {
        let text = format!("number {} ({}), {}", one.number, one.status, one.id);
        rows.push(row("certificate", text));
        rows.push(row("its digest", &one.digest));
    }
    for one in &report.plan.found.destroyed {
        rows.push(row(&format!("{:.12}", one.file.to_hex()), &one.path));
    }
    rows
}

fn concerned(report: &Report) -> Rows {
    let found = &report.plan.found;
    let mut rows = Rows::new();
    for one in &found.downstream {
        let text = format!("{}, from version {:.12}", one.name, one.used.to_hex());
        rows.push(row(&one.kind, text));
    }
    for (kind, refs) in [("branch", &found.branches), ("tag", &found.tags)] {
        let each = refs.iter();
        rows.extend(each.map(|one| row(kind, format!("{} at {}", one.name, one.version))));
    }
    rows.extend(found.worktrees.iter().map(|path| row("worktree", path)));
    for one in &report.holds {
        let text = format!("{} on {} (case {}): {}", one.id, one.on, one.case, one.reason);
        rows.push(row("hold", text));
    }
    rows
}

fn steps(report: &Report) -> Rows {
    let mut rows = vec![row("requested", &report.plan.requester)];
    for one in &report.approvals {
        rows.push(row("approved", format!("{} with key {}, {}", one.by, one.key, one.time)));
    }
    for one in &report.steps {
        let text = format!("{} by {}, {}", one.what, one.by, one.time);
        rows.push(row(&format!("entry {}", one.number), text));
    }
    rows
}
