//! What is said of a version's origin: the flags for it, and how it is shown.

use std::io::{self, Write};
use std::path::PathBuf;

use serde_json::Value;
use stemmata::model::{Metric, Provenance, Source, Step};
use stemmata::ops::provenance::Given;

use super::text::moment;

/// The flags of every verb that makes a version.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Provenance")]
pub(crate) struct Flags {
    /// What was taken from outside: uri=…,licence=…,retrieved=…,sha256=…,provider=…
    #[arg(long, value_name = "KEY=VALUE,…")]
    source: Vec<String>,
    /// How good it is: accuracy=0.93, rate=12%,slice=en,method="exact match"
    #[arg(long, value_name = "NAME=VALUE[UNIT]")]
    metric: Vec<String>,
    /// A field of your own, or one that is known, such as purpose
    #[arg(long, value_name = "KEY=VALUE")]
    meta: Vec<String>,
    /// Metadata in YAML, TOML or JSON; `stem meta template` shows the fields
    #[arg(long, value_name = "FILE")]
    meta_file: Option<PathBuf>,
    /// Take over what the last version says, but for sources, steps and metrics
    #[arg(long)]
    keep_meta: bool,
    /// What it is for
    #[arg(long, value_name = "TEXT")]
    purpose: Option<String>,
    /// pretraining, evaluation, instruction, preference, reinforcement, prompt, feedback,
    /// operations-log or other
    #[arg(long, value_name = "KIND")]
    dataset_kind: Option<String>,
    /// Its language, as a BCP 47 tag
    #[arg(long, value_name = "TAG")]
    language: Vec<String>,
    /// text, image, audio, video, table or another
    #[arg(long, value_name = "WORD")]
    modality: Vec<String>,
    /// public, internal, personal or another
    #[arg(long, value_name = "WORD")]
    sensitivity: Option<String>,
    /// Its licence: an SPDX expression, LicenseRef-NAME, or other:TEXT
    #[arg(long, value_name = "LICENCE", alias = "license")]
    licence: Option<String>,
}

impl Flags {
    /// In the words of the library.
    pub(crate) fn given(&self) -> Given {
        let one = |value: &Option<String>| value.iter().cloned().collect();
        Given {
            sources: self.source.clone(),
            steps: Vec::new(),
            metrics: self.metric.clone(),
            meta: self.meta.clone(),
            plain: vec![
                ("purpose", one(&self.purpose)),
                ("dataset_kind", one(&self.dataset_kind)),
                ("languages", self.language.clone()),
                ("modalities", self.modality.clone()),
                ("sensitivity", one(&self.sensitivity)),
                ("licence", one(&self.licence)),
            ],
            file: self.meta_file.clone(),
            keep: self.keep_meta,
        }
    }
}

/// Text that means nothing to a terminal.
pub(crate) fn plain(text: &str) -> String {
    let escape = |c: char| {
        let harmless = !c.is_control();
        if harmless { c.to_string() } else { c.escape_default().to_string() }
    };
    text.chars().map(escape).collect()
}

/// What a version says of its origin, in paragraphs; nothing if it says nothing.
pub(crate) fn show(provenance: &Provenance, out: &mut dyn Write) -> io::Result<()> {
    if provenance.is_empty() {
        return Ok(());
    }
    writeln!(out)?;
    for source in &provenance.sources {
        show_source(source, out)?;
    }
    for step in &provenance.steps {
        show_step(step, "Step:    ", out)?;
    }
    for metric in &provenance.metrics {
        writeln!(out, "Metric:  {}", metric_text(metric))?;
    }
    for derived in &provenance.derived_from {
        writeln!(out, "From:    {} ({})", plain(&derived.from.to_string()), plain(&derived.how))?;
    }
    let kind = provenance.dataset_kind.and_then(|kind| serde_json::to_value(kind).ok());
    let lists = [provenance.languages.join(", "), provenance.modalities.join(", ")];
    let [languages, modalities] = lists;
    for (label, value) in [
        ("Purpose:", provenance.purpose.clone()),
        ("Kind:", kind.map(|kind| kind.as_str().unwrap_or_default().to_owned())),
        ("Languages: ", Some(languages).filter(|text| !text.is_empty())),
        ("Modalities: ", Some(modalities).filter(|text| !text.is_empty())),
        ("Sensitivity: ", provenance.sensitivity.clone()),
        ("Licence:", provenance.licence.clone()),
    ] {
        if let Some(value) = value {
            writeln!(out, "{label:<9}{}", plain(&value))?;
        }
    }
    for (key, value) in provenance.fields.iter().chain(&provenance.other) {
        writeln!(out, "{}: {}", plain(key), value_text(value))?;
    }
    Ok(())
}

/// A value as a person writes it: text without quotes, the rest as JSON.
pub(crate) fn value_text(value: &Value) -> String {
    match value {
        Value::String(text) => plain(text),
        other => other.to_string(),
    }
}

fn show_source(source: &Source, out: &mut dyn Write) -> io::Result<()> {
    let revision = source.revision.as_deref().map(|text| format!(" at {}", plain(text)));
    writeln!(out, "Source:  {}{}", plain(&source.uri), revision.unwrap_or_default())?;
    let time = |label: &str, time: Option<_>| time.map(|time| format!("{label} {}", moment(time)));
    let text = |label: &str, text: &Option<String>| {
        text.as_deref().map(|text| format!("{label} {}", plain(text)))
    };
    let parts = [
        text("from", &source.provider),
        text("licence", &source.licence),
        text("legal basis", &source.legal_basis),
        text("by", &source.method),
        time("collected", source.collected),
        time("retrieved", source.retrieved),
        text("sha256", &source.sha256),
        text("blake3", &source.blake3),
        text("in", &source.path),
    ];
    let own = source.other.iter().map(|(key, value)| format!("{key} {}", value_text(value)));
    let parts: Vec<String> = parts.into_iter().flatten().chain(own).collect();
    if parts.is_empty() { Ok(()) } else { writeln!(out, "         {}", parts.join("; ")) }
}

/// A step, with what it read and wrote below.
pub(crate) fn show_step(step: &Step, label: &str, out: &mut dyn Write) -> io::Result<()> {
    let command = (!step.command.is_empty()).then(|| format!(": {}", command_line(&step.command)));
    let decided = step.decided.map(|who| format!(" (decided: {})", who.as_str()));
    let (command, decided) = (command.unwrap_or_default(), decided.unwrap_or_default());
    writeln!(out, "{label}{}{command}{decided}", plain(&step.name))?;
    for input in &step.inputs {
        writeln!(out, "           read  {}", plain(&input.to_string()))?;
    }
    for output in &step.outputs {
        writeln!(out, "           wrote {}", plain(output))?;
    }
    if let Some(code) = &step.code {
        let commit = code.commit.as_deref().unwrap_or("no commit");
        let dirty = if code.dirty { ", with changes" } else { "" };
        let remote = code.remote.as_deref().map(|remote| format!(" of {}", plain(remote)));
        let remote = remote.unwrap_or_default();
        writeln!(out, "           code  {}{remote}{dirty}", plain(commit))?;
    }
    if let (Some(began), Some(ended)) = (step.started, step.ended) {
        let seconds = ended.unix() - began.unix();
        let code = step.exit_code.map(|code| format!(", exit code {code}")).unwrap_or_default();
        writeln!(out, "           ran   {} for {seconds} s{code}", moment(began))?;
    }
    match &step.note {
        Some(note) => writeln!(out, "           note  {}", plain(note)),
        None => Ok(()),
    }
}

/// A command as it would be typed.
pub(crate) fn command_line(words: &[String]) -> String {
    let quote = |word: &String| {
        let harmless = |c: char| c.is_alphanumeric() || "-_./=:,+@%".contains(c);
        if !word.is_empty() && word.chars().all(harmless) {
            return word.clone();
        }
        format!("'{}'", plain(word).replace('\'', r"'\''"))
    };
    words.iter().map(quote).collect::<Vec<_>>().join(" ")
}

/// `accuracy = 0.93 (en, exact match, n = 100)`.
pub(crate) fn metric_text(metric: &Metric) -> String {
    let unit = metric.unit.as_deref().map(|unit| format!(" {}", plain(unit))).unwrap_or_default();
    let slice = metric.slice.as_deref().map(plain);
    let method = metric.method.as_deref().map(plain);
    let size = metric.sample_size.map(|size| format!("n = {size}"));
    let threshold = metric.threshold.map(|value| format!("threshold {value}"));
    let more: Vec<_> = [slice, method, size, threshold].into_iter().flatten().collect();
    let more = if more.is_empty() { String::new() } else { format!(" ({})", more.join(", ")) };
    format!("{} = {}{unit}{more}", plain(&metric.name), metric.value)
}
