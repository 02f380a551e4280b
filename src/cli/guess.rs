//! What somebody means who writes something else: slips, and the words of other programs.

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use stemmata::repo::nearest;

use super::Failure;

/// Verbs of Git, DVC and Oxen that are not here, and what to do instead.
const ELSEWHERE: &[(&str, &str)] = &[
    ("blame", "`stem log -- PATH` shows the versions that have changed a path"),
    ("clone", "`stem init --store DIR --dataset NAME` attaches a directory to a store"),
    ("fetch", "stores are shared by a path: `stem init --store DIR`; there are no remotes yet"),
    ("grep", "`stem cat REV:PATH | grep …` searches a file; `stem log --grep` the messages"),
    ("ls-files", "`stem ls -r` lists the files of a version"),
    ("pull", "stores are shared by a path: `stem init --store DIR`; there are no remotes yet"),
    ("push", "stores are shared by a path: `stem init --store DIR`; there are no remotes yet"),
    ("rebase", "`stem cherry-pick` applies versions one by one, `stem merge` all of them"),
    ("remote", "stores are shared by a path: `stem init --store DIR`; there are no remotes yet"),
    ("repro", "`stem rerun REV` repeats a recorded step"),
    ("rev-parse", "`stem show REV --json` has the full id"),
    ("stash", "`stem switch -b NAME`, then `stem commit -a`: a branch keeps unfinished work"),
    ("track", "`stem add PATH` takes a file of any size"),
    ("version", "`stem --version` prints it"),
    ("workspace", "`stem init --store DIR --dataset NAME` makes another worktree of a store"),
];

/// The arguments, with what Git's users write by habit in this program's words: `help VERB`, and
/// `log -5`.
pub(super) fn as_others_write_it(mut given: Vec<OsString>) -> Vec<OsString> {
    if given.get(1).is_some_and(|word| word == "help") {
        given.remove(1);
        given.push("--help".into());
        return given;
    }
    let verb = given.iter().skip(1).position(|word| word == "log" || word == "reflog");
    let Some(verb) = verb.map(|at| at + 1) else { return given };
    for word in given.iter_mut().skip(verb + 1).take_while(|word| *word != "--") {
        let digits = word.to_str().and_then(|word| word.strip_prefix('-'));
        let digits = digits.filter(|text| !text.is_empty());
        if let Some(digits) = digits.filter(|text| text.bytes().all(|b| b.is_ascii_digit())) {
            *word = format!("-n{digits}").into();
        }
    }
    given
}

/// The error of a word that stands where a verb must.
pub(super) fn unknown_verb(error: &clap::Error) -> Option<Failure> {
    if error.kind() != ErrorKind::InvalidSubcommand {
        return None;
    }
    let word = text(error, ContextKind::InvalidSubcommand)?;
    let similar = match error.get(ContextKind::SuggestedSubcommand) {
        Some(ContextValue::Strings(words)) => words.as_slice(),
        Some(ContextValue::String(word)) => std::slice::from_ref(word),
        _ => &[],
    };
    let shown = error.render().to_string();
    let above = shown.lines().find_map(|line| verbs_of(line.trim())).unwrap_or_default();
    let instead = ELSEWHERE.iter().find(|(verb, _)| above.is_empty() && *verb == word);
    let hint = match (instead, nearest(&word, similar.iter().map(String::as_str))) {
        (Some((_, instead)), _) => (*instead).to_owned(),
        (None, Some(similar)) => format!("did you mean `{similar}`?"),
        (None, None) if above == "config" && word.contains('.') => {
            format!("`stem config get {word}` shows a setting, `stem config set {word} …` makes it")
        }
        (None, None) => format!("`{} --help` lists the verbs", ["stem", &above].join(" ").trim()),
    };
    Some(Failure::Unknown { said: format!("there is no verb `{word}`"), hint })
}

/// The error of arguments that do not fit, in one line.
pub(super) fn misfit(error: &clap::Error) -> Failure {
    let shown = error.render().to_string();
    let lines = shown.lines().map(str::trim);
    let said: Vec<_> = lines.clone().take_while(|line| !line.is_empty()).collect();
    let said = said.join(" ").trim_start_matches("error: ").to_owned();
    let usage = lines.clone().find(|line| line.starts_with("Usage: "));
    let hint = usage.unwrap_or("`stem --help` lists the verbs").to_owned();
    Failure::Unknown { said, hint }
}

/// The verbs in a line of usage: those after which another one was expected.
fn verbs_of(usage: &str) -> Option<String> {
    let words = usage.strip_prefix("Usage: ")?.split_whitespace().skip(1);
    Some(words.take_while(|word| !word.starts_with(['[', '<'])).collect::<Vec<_>>().join(" "))
}

fn text(error: &clap::Error, kind: ContextKind) -> Option<String> {
    match error.get(kind)? {
        ContextValue::String(text) => Some(text.clone()),
        _ => None,
    }
}
