//! A data card: Markdown with the front matter that the Hugging Face Hub reads.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::Card;
use crate::model::{Metric, Source, Step};
use crate::ops::lineage::{NodeId, NodeKind, gone_words, state_words};

/// How many nodes and how many notes are named.
const NAMED: usize = 50;

/// The card as Markdown.
pub fn markdown(card: &Card) -> String {
    let mut out = String::new();
    front_matter(card, &mut out);
    let _ = writeln!(out, "\n# {}\n", card.dataset);
    about(card, &mut out);
    sources(&card.sources, &mut out);
    steps(&card.provenance.steps, &mut out);
    metrics(&card.provenance.metrics, &mut out);
    notes(card, &mut out);
    consumers(card, &mut out);
    origins(card, &mut out);
    verify(card, &mut out);
    out
}

/// The Hub's size categories, by the number of records.
fn size_category(records: f64) -> &'static str {
    const SIZES: [(f64, &str); 10] = [
        (1e3, "n<1K"),
        (1e4, "1K<n<10K"),
        (1e5, "10K<n<100K"),
        (1e6, "100K<n<1M"),
        (1e7, "1M<n<10M"),
        (1e8, "10M<n<100M"),
        (1e9, "100M<n<1B"),
        (1e10, "1B<n<10B"),
        (1e11, "10B<n<100B"),
        (1e12, "100B<n<1T"),
    ];
    SIZES.iter().find(|(most, _)| records < *most).map_or("n>1T", |(_, word)| word)
}

/// A string that YAML reads back, whatever is in it: JSON's strings are YAML's.
fn yaml(text: &str) -> String {
    json!(text).to_string()
}

fn list<'a>(out: &mut String, key: &str, items: impl IntoIterator<Item = &'a str>) {
    let mut items = items.into_iter().peekable();
    if items.peek().is_some() {
        let _ = writeln!(out, "{key}:");
        for item in items {
            let _ = writeln!(out, "- {}", yaml(item));
        }
    }
}

fn front_matter(card: &Card, out: &mut String) {
    let provenance = &card.provenance;
    out.push_str("---\n");
    let _ = writeln!(out, "pretty_name: {}", yaml(card.dataset.as_str()));
    if let Some(licence) = &provenance.licence {
        // The Hub has words of its own for single licences, which are SPDX's in lower case.
        let single = !licence.contains([' ', ':', '(']) && !licence.starts_with("LicenseRef-");
        match single {
            true => {
                let _ = writeln!(out, "license: {}", yaml(&licence.to_lowercase()));
            }
            false => {
                let _ = writeln!(out, "license: other\nlicense_name: {}", yaml(licence));
            }
        }
    }
    list(out, "language", provenance.languages.iter().map(String::as_str));
    if let Some(records) = card.records() {
        let _ = writeln!(out, "size_categories:\n- {}", size_category(records));
    }
    if let Some(tasks) = card.field(&["task_categories"]) {
        list(out, "task_categories", tasks.split("; "));
    }
    let kind = provenance.dataset_kind.map(|kind| json!(kind));
    let kind = kind.as_ref().and_then(Value::as_str);
    let modalities = provenance.modalities.iter().map(String::as_str);
    list(out, "tags", kind.into_iter().chain(modalities).chain(["stemmata"]));
    let splits = card.splits();
    if !splits.is_empty() {
        out.push_str("configs:\n- config_name: default\n  data_files:\n");
        for (split, patterns) in splits {
            let _ = writeln!(out, "  - split: {split}\n    path:");
            for pattern in patterns {
                let _ = writeln!(out, "    - {}", yaml(&pattern));
            }
        }
    }
    out.push_str("---\n");
}

/// Text on one line of Markdown, also within a table.
fn line(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '|' | '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' => shown.extend(['\\', letter]),
            letter if letter.is_control() => shown.push(' '),
            letter => shown.push(letter),
        }
    }
    shown
}

fn item(out: &mut String, key: &str, value: Option<&str>) {
    if let Some(value) = value {
        let _ = writeln!(out, "- {key}: {}", line(value));
    }
}

fn about(card: &Card, out: &mut String) {
    let (provenance, record) = (&card.provenance, &card.record);
    if let Some(purpose) = &provenance.purpose {
        let _ = writeln!(out, "{}\n", line(purpose));
    }
    out.push_str("## What it is\n\n");
    let kind = provenance.dataset_kind.map(|kind| json!(kind));
    item(out, "Kind", kind.as_ref().and_then(Value::as_str));
    let first = record.message.lines().next();
    item(out, "This version", first.filter(|first| !first.is_empty()));
    item(out, "Made by", Some(&record.author.to_string()));
    item(out, "Made at", Some(&record.time.to_string()));
    let _ = writeln!(out, "- Files: {}\n- Bytes: {}", record.files, record.bytes);
    // The version still says how many files it has; who is given the card must know what is not there.
    let own = card.origins.node(&NodeId::Version(card.version));
    item(out, "State", own.and_then(|own| own.state.as_deref()));
    item(out, "Not there any more", own.and_then(gone_words).as_deref());
    let records = card.records().map(|records| records.to_string());
    item(out, "Records", records.as_deref());
    let join = |words: &[String]| (!words.is_empty()).then(|| words.join(", "));
    item(out, "Languages", join(&provenance.languages).as_deref());
    item(out, "Modalities", join(&provenance.modalities).as_deref());
    item(out, "Licence", provenance.licence.as_deref());
    item(out, "Sensitivity", provenance.sensitivity.as_deref());
    item(out, "Tags", join(&card.tags).as_deref());
    for (name, value) in &provenance.fields {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        item(out, &line(name), Some(&text));
    }
    if let Some(table) = card.tables.first() {
        let columns: Vec<&str> = table.columns.iter().map(|one| one.name.as_str()).collect();
        let path = table.path.show();
        item(out, &format!("Columns of {}", line(&path)), Some(&columns.join(", ")));
    }
}

fn sources(sources: &[Source], out: &mut String) {
    if sources.is_empty() {
        return;
    }
    out.push_str("\n## Where it comes from\n\n");
    out.push_str("| source | provider | licence | legal basis | method | received |\n");
    out.push_str("|---|---|---|---|---|---|\n");
    for source in sources {
        let cell = |value: Option<&str>| line(value.unwrap_or("not recorded"));
        let received = source.retrieved.map(|time| time.to_string());
        let _ = writeln!(
            out,
            "| {} | {} | {} | {} | {} | {} |",
            line(&source.uri),
            cell(source.provider.as_deref()),
            cell(source.licence.as_deref()),
            cell(source.legal_basis.as_deref()),
            cell(source.method.as_deref()),
            cell(received.as_deref()),
        );
    }
}

fn steps(steps: &[Step], out: &mut String) {
    if steps.is_empty() {
        return;
    }
    out.push_str("\n## What was done to it\n\n");
    for (place, step) in steps.iter().enumerate() {
        let _ = writeln!(out, "{}. {}", place + 1, line(&step.name));
        let mut part = |key: &str, value: Option<String>| {
            if let Some(value) = value {
                let _ = writeln!(out, "   - {key}: {}", line(&value));
            }
        };
        part("command", (!step.command.is_empty()).then(|| step.command.join(" ")));
        part(
            "parameters",
            (!step.parameters.is_empty()).then(|| json!(step.parameters).to_string()),
        );
        for input in &step.inputs {
            part("input", Some(input.to_string()));
        }
        if let Some(code) = &step.code {
            part("code", code.remote.clone());
            let dirty = if code.dirty { " (with changes)" } else { "" };
            part("revision", code.commit.as_ref().map(|commit| format!("{commit}{dirty}")));
        }
        part("operator", step.operator.clone());
        part("decided", step.decided.map(|decided| decided.as_str().to_owned()));
        part("note", step.note.clone());
    }
}

fn metrics(metrics: &[Metric], out: &mut String) {
    if metrics.is_empty() {
        return;
    }
    out.push_str(
        "\n## How good it is\n\n| metric | slice | value | threshold | sample | method |\n",
    );
    out.push_str("|---|---|---|---|---|---|\n");
    for metric in metrics {
        let unit = metric.unit.as_deref().unwrap_or_default();
        let number = |value: Option<String>| value.unwrap_or_default();
        let _ = writeln!(
            out,
            "| {} | {} | {} {} | {} | {} | {} |",
            line(&metric.name),
            line(metric.slice.as_deref().unwrap_or("all")),
            metric.value,
            line(unit),
            number(metric.threshold.map(|value| value.to_string())),
            number(metric.sample_size.map(|value| value.to_string())),
            line(metric.method.as_deref().unwrap_or_default()),
        );
    }
}

fn notes(card: &Card, out: &mut String) {
    let known = card.notes.iter().filter(|note| matches!(&*note.kind, "problem" | "incident"));
    let known: Vec<_> = known.collect();
    out.push_str("\n## Known problems\n\n");
    if known.is_empty() {
        out.push_str("None is recorded.\n");
    }
    for note in known.iter().rev().take(NAMED) {
        let date = &note.time.to_string()[..10];
        let _ = writeln!(out, "- {date}, {}: {}", note.kind, line(&note.text));
    }
}

fn consumers(card: &Card, out: &mut String) {
    if card.uses.is_empty() {
        return;
    }
    out.push_str("\n## Who has used it\n\n");
    for one in card.uses.iter().take(NAMED) {
        let path = one.path.as_deref().map(|path| format!(", {}", line(path)));
        let (name, path) = (line(&one.consumer), path.unwrap_or_default());
        let _ = writeln!(out, "- {name}, for {}{path}", line(&one.role));
    }
}

fn origins(card: &Card, out: &mut String) {
    let named = |kind: NodeKind| {
        let nodes = card.origins.nodes.iter().filter(move |node| node.kind == kind);
        nodes.filter(|node| !card.origins.targets.contains(&node.id))
    };
    let (versions, steps) = (named(NodeKind::Version).count(), named(NodeKind::Step).count());
    let sources = named(NodeKind::Source).count();
    if versions + steps + sources == 0 {
        return;
    }
    out.push_str("\n## Lineage\n\n");
    let _ = writeln!(
        out,
        "Made from {} and {} in {}:\n",
        count(versions, "version"),
        count(sources, "source"),
        count(steps, "step"),
    );
    let others = named(NodeKind::Version).chain(named(NodeKind::Source));
    for node in others.take(NAMED) {
        let state = state_words(node).map(|words| format!(" ({words})"));
        let _ = writeln!(out, "- {}{}", line(&node.label), state.unwrap_or_default());
    }
    if versions + sources > NAMED {
        let _ = writeln!(out, "- and {} more", versions + sources - NAMED);
    }
}

fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

fn verify(card: &Card, out: &mut String) {
    let short = &card.version.to_hex()[..12];
    let _ = write!(
        out,
        "\n## Which version this is\n\n\
         `{}@{}`\n\n\
         The id is the BLAKE3 hash of the version's record, which names every file by the BLAKE3 \
         hash of its content. `stem fsck --read-data` reads everything again and compares it; \
         `stem lineage {}@{short}` shows where it comes from.\n",
        card.dataset, card.version, card.dataset
    );
}
