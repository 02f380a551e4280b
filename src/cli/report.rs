//! Errors as the user reads them: what, why, what to do, and the exit code.

#![allow(clippy::too_many_lines, reason = "a match has an arm for each error there is")]

mod kept;
mod outside;

use std::error::Error as _;
use std::io::{self, Write};
use std::panic::PanicHookInfo;
use std::path::Path;

use serde::Serialize;
use stemmata::model::{Presence, RepoPath};
use stemmata::repo::PinError;
use stemmata::repo::policy::Missing;
use stemmata::worktree::write::WriteError;
use stemmata::{catalogue, format, ops, repo, store};

use self::kept::{tell_erase, tell_kept};
use self::outside::{tell_bag, tell_git, tell_worktree};
use super::Exit;

/// What ended a verb.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// An operation's error.
    #[error(transparent)]
    Ops(#[from] ops::Error),
    /// The repository's error.
    #[error(transparent)]
    Repo(#[from] repo::Error),
    /// The answer could not be written.
    #[error("cannot write the answer")]
    Answer(#[source] io::Error),
    /// A command of the tour did not end as the story says.
    #[error("the tour's `{command}` ended with {ended}, not with {expected}: {said}")]
    Tour {
        /// What was typed.
        command: String,
        /// Its exit code.
        ended: i32,
        /// The exit code it should have.
        expected: i32,
        /// What it said on stderr.
        said: String,
    },
    /// Arguments that make no sense together.
    #[error("{0}")]
    Usage(String),
    /// A word that is no verb, or arguments that do not fit a verb.
    #[error("{said}")]
    Unknown {
        /// What is wrong.
        said: String,
        /// What to write instead.
        hint: String,
    },
}

/// How an error is told.
struct Told {
    exit: Exit,
    code: &'static str,
    hint: Option<&'static str>,
}

fn told(exit: Exit, code: &'static str, hint: &'static str) -> Told {
    Told { exit, code, hint: Some(hint).filter(|hint| !hint.is_empty()) }
}

/// Shows an error of a command that worked in `directory`, and gives the exit code that belongs to
/// it.
pub(crate) fn show(failure: &Failure, directory: &Path, json: bool) -> Exit {
    let told = tell(failure);
    let hint = hint_for(failure, directory).or(told.hint.map(str::to_owned));
    // Nobody is left to tell when the terminal has gone.
    let _ = match json {
        true => show_json(failure, &told, hint.as_deref()),
        false => show_text(failure, hint.as_deref()),
    };
    told.exit
}

/// What to do about this very error, where more can be said than of all of its kind.
fn hint_for(failure: &Failure, directory: &Path) -> Option<String> {
    if let Failure::Unknown { hint, .. } = failure {
        return Some(hint.clone());
    }
    if let Some(repo::Error::NoPath { revision, here: Some(here), .. }) = of_repo(failure) {
        return Some(format!("paths begin at the top: did you mean `{revision}:{here}`?"));
    }
    let Some(repo::Error::NoRevision { text, similar, .. }) = of_repo(failure) else { return None };
    if let Some(similar) = similar {
        return Some(format!("did you mean `{similar}`?"));
    }
    directory.join(text).symlink_metadata().ok()?;
    Some(format!(
        "`{text}` is a path: paths stand after `--`, as in `stem checkout -- {text}`; \
         `stem restore --staged {text}` takes it out of what is staged"
    ))
}

fn show_text(failure: &Failure, hint: Option<&str>) -> io::Result<()> {
    let mut out = anstream::stderr().lock();
    let red = anstyle::AnsiColor::Red.on_default().bold();
    let cyan = anstyle::AnsiColor::Cyan.on_default().bold();
    writeln!(out, "{red}error:{red:#} {failure}")?;
    for cause in causes(failure) {
        writeln!(out, "  caused by: {cause}")?;
    }
    for line in details(failure, RepoPath::show) {
        writeln!(out, "  {line}")?;
    }
    for one in missing(failure) {
        writeln!(out, "  rule {}: {}", one.rule, one.what)?;
        writeln!(out, "    {cyan}to add it:{cyan:#} {}", one.how)?;
    }
    match hint {
        Some(hint) => writeln!(out, "{cyan}hint:{cyan:#} {hint}"),
        None => Ok(()),
    }
}

fn show_json(failure: &Failure, told: &Told, hint: Option<&str>) -> io::Result<()> {
    #[derive(Serialize)]
    struct Document<'a> {
        schema: &'a str,
        error: Body<'a>,
    }
    #[derive(Serialize)]
    struct Body<'a> {
        code: &'a str,
        exit: u8,
        message: String,
        hint: &'a str,
        #[serde(skip_serializing_if = "<[Missing]>::is_empty")]
        missing: &'a [Missing],
        causes: Vec<String>,
        paths: Vec<String>,
    }
    let error = Body {
        code: told.code,
        exit: told.exit.0,
        message: failure.to_string(),
        hint: hint.unwrap_or_default(),
        missing: missing(failure),
        causes: causes(failure),
        paths: details(failure, RepoPath::exact),
    };
    let mut out = io::stderr().lock();
    serde_json::to_writer(&mut out, &Document { schema: "stem.error/1", error })?;
    out.write_all(b"\n")
}

fn causes(failure: &Failure) -> Vec<String> {
    let mut causes = Vec::new();
    let mut source = failure.source();
    while let Some(error) = source {
        causes.push(error.to_string());
        source = error.source();
    }
    causes
}

/// The repository's error, if that is what failed.
fn of_repo(failure: &Failure) -> Option<&repo::Error> {
    match failure {
        Failure::Repo(error) | Failure::Ops(ops::Error::Repo(error)) => Some(error),
        Failure::Ops(_)
        | Failure::Answer(_)
        | Failure::Tour { .. }
        | Failure::Usage(_)
        | Failure::Unknown { .. } => None,
    }
}

/// The paths that the error is about, where there are several.
fn details(failure: &Failure, show: impl Fn(&RepoPath) -> String) -> Vec<String> {
    if let Failure::Ops(ops::Error::Metadata { flaws, .. }) = failure
        && flaws.len() > 1
    {
        return flaws.iter().map(ToString::to_string).collect();
    }
    match of_repo(failure) {
        Some(repo::Error::AllAbsent { absent }) => {
            absent.iter().map(|absent| show(&absent.path)).collect()
        }
        Some(repo::Error::Unsaved { paths }) => paths.iter().map(show).collect(),
        _ => Vec::new(),
    }
}

/// What a policy does not find, and how to add it.
fn missing(failure: &Failure) -> &[Missing] {
    match of_repo(failure) {
        Some(repo::Error::Refused(refusal)) => &refusal.missing,
        _ => &[],
    }
}

fn tell(failure: &Failure) -> Told {
    if let Some(kind) = io_kind(failure) {
        match kind {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                return told(Exit::NO_SPACE, "no_space", "free some space, then do it again");
            }
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                return told(Exit::NOT_ALLOWED, "permission", "");
            }
            _ => {}
        }
    }
    match failure {
        Failure::Ops(error) => tell_ops(error),
        Failure::Repo(error) => tell_repo(error),
        Failure::Answer(_) => told(Exit::DAMAGED, "io", ""),
        Failure::Tour { .. } => told(Exit::BUG, "tour", "please report it"),
        Failure::Unknown { .. } => told(Exit::USAGE, "usage", ""),
        Failure::Usage(_) => told(Exit::USAGE, "usage", "`stem --help` lists the verbs"),
    }
}

/// What the operating system said, if it is at the root of the error.
fn io_kind(failure: &Failure) -> Option<io::ErrorKind> {
    let mut source = failure.source();
    while let Some(error) = source {
        if let Some(error) = error.downcast_ref::<io::Error>() {
            return Some(error.kind());
        }
        source = error.source();
    }
    None
}

#[expect(clippy::too_many_lines, reason = "one arm for each error, and nothing else")]
fn tell_ops(error: &ops::Error) -> Told {
    use ops::Error as E;
    match error {
        E::Repo(error) => tell_repo(error),
        E::NothingToCommit => told(
            Exit::NO,
            "nothing_to_commit",
            "stage changes with `stem add`, or use `--allow-empty`",
        ),
        E::EmptyMessage => told(Exit::USAGE, "empty_message", "say what changed with `-m`"),
        E::Unsaid(_) => told(Exit::USAGE, "empty_message", "say in words who, why or what"),
        E::NoMatch(_) => told(
            Exit::NOT_FOUND,
            "no_path",
            "`stem ls -r` lists the paths of the version, `stem status` what is new here",
        ),
        E::OnlyEmpty(_) => told(
            Exit::NO,
            "nothing_to_erase",
            "no version has anything else at these paths; `stem log -- PATH` lists who changed one",
        ),
        E::NoWorktree(_) => {
            told(Exit::NOT_FOUND, "no_worktree", "`stem doctor` names those that are gone")
        }
        E::NoNode(_) => told(
            Exit::NOT_FOUND,
            "no_node",
            "name a revision, `rev:path`, 64 digits, a source's URI or `consumer:NAME`",
        ),
        E::Ignored(_) => told(Exit::USAGE, "ignored", "use `--force` to add it all the same"),
        E::Path(_) => told(Exit::USAGE, "bad_path", ""),
        E::Name(_) => told(Exit::USAGE, "bad_name", "names follow the rules of Git's"),
        E::UnderWay { doing: "bisect" } => {
            told(Exit::CONFLICTS, "under_way", "`stem bisect reset` ends it")
        }
        E::UnderWay { .. } => {
            told(Exit::CONFLICTS, "under_way", "end it with `--continue` or `--abort` first")
        }
        E::NotUnderWay { doing: "bisect" } => {
            told(Exit::USAGE, "not_under_way", "`stem bisect start` begins one")
        }
        E::NotUnderWay { .. } => {
            told(Exit::USAGE, "not_under_way", "`stem status` says what is under way")
        }
        E::Conflicts { .. } => told(
            Exit::CONFLICTS,
            "conflicts",
            "edit or choose the files, `stem add` them, then `--continue`",
        ),
        E::Diverged { .. } => told(
            Exit::UNSAVED,
            "diverged",
            "rename the branch here with `stem branch -m`, or import into another dataset",
        ),
        E::Exists { .. } => told(
            Exit::USAGE,
            "exists",
            "choose another name; `branch` and `tag` move one that is there with `--force`",
        ),
        E::NotMerged { .. } => {
            told(Exit::UNSAVED, "not_merged", "merge it first, or remove it with `-D`")
        }
        E::NoKey(_) | E::Revoked(_) => {
            told(Exit::NOT_FOUND, "no_key", "`stem key list` lists them")
        }
        E::NoCheckpoint { .. } => told(
            Exit::NOT_FOUND,
            "no_checkpoint",
            "`stem audit checkpoint` makes one, with a key that is trusted: `stem key trust`",
        ),
        E::Metadata { .. }
        | E::Cycle { .. }
        | E::UnsavedInputs { .. }
        | E::Command { .. }
        | E::Overtaken { .. } => tell_step(error),
        E::Interrupted => told(Exit::INTERRUPTED, "interrupted", ""),
        E::Output(_) => told(Exit::DAMAGED, "io", ""),
        E::Pattern { .. } => {
            told(Exit::USAGE, "bad_pattern", "use `-F` to look for the text as it stands")
        }
        E::Held { .. } | E::BadArchive { .. } | E::NoTarget(_) | E::NoHold(_) | E::Retention(_) => {
            tell_kept(error)
        }
        E::BadPlan(_)
        | E::NoPlan(_)
        | E::OutOfDate(_)
        | E::NotApproved { .. }
        | E::Blocked(_)
        | E::Unclassified { .. }
        | E::Everything { .. }
        | E::NoSpace { .. }
        | E::Incomplete(_)
        | E::BadRecordSelector(_)
        | E::NoRecord
        | E::Unproven(_)
        | E::NoCertificate(_)
        | E::NotEntitled(_) => tell_erase(error),
        E::Refused(_) => told(Exit::USAGE, "refused", ""),
    }
}

/// Of steps and what is told of a version.
fn tell_step(error: &ops::Error) -> Told {
    use ops::Error as E;
    match error {
        E::Metadata { .. } => told(
            Exit::USAGE,
            "bad_metadata",
            "`stem meta template` shows every field, `stem meta validate FILE` checks a file",
        ),
        E::Cycle { .. } => {
            told(Exit::USAGE, "cycle", "`stem step list REV` shows what a version was made from")
        }
        E::UnsavedInputs { .. } => told(
            Exit::UNSAVED,
            "unsaved",
            "commit them first, so that the step names what it has read; or use `--force`",
        ),
        E::Command { source, .. } if source.kind() == io::ErrorKind::NotFound => {
            told(Exit::NOT_FOUND, "no_command", "")
        }
        E::Command { .. } => told(Exit::USAGE, "command", ""),
        _ => told(
            Exit::TRY_AGAIN,
            "lost_race",
            "commit what it wrote by hand and tell of the step with `--step`, or run it again",
        ),
    }
}

const NO_AUTHOR: &str = "set STEM_AUTHOR='Name <mail>', or `stem config set user.name` and \
    `user.email`, or Git's";

fn tell_key(error: &repo::KeyError) -> Told {
    use repo::KeyError as E;
    let (code, hint) = match error {
        E::NoDirectory => ("no_key", "set STEM_KEYS to a directory"),
        E::Missing { .. } => {
            ("no_key", "`stem key generate` makes one, `stem key list` lists them")
        }
        E::Several { .. } => {
            ("several_keys", "say which with `--key ID`, or `stem config set user.signingkey ID`")
        }
        E::Exposed { .. } => {
            ("exposed_key", "if nobody has used it, `chmod 600` it; else make another one")
        }
        E::BadFile { .. } => ("bad_key", ""),
    };
    told(Exit::NOT_ALLOWED, code, hint)
}

fn tell_repo(error: &repo::Error) -> Told {
    use repo::Error as E;
    match error {
        E::Io { source, .. } if source.kind() == io::ErrorKind::NotFound => {
            told(Exit::NOT_FOUND, "not_found", "name something that is there")
        }
        E::Io { source, .. } if is_no_file(source.kind()) => {
            told(Exit::USAGE, "not_a_file", "name a file")
        }
        E::Io { .. } => told(Exit::DAMAGED, "io", ""),
        E::NoRepository { .. } => {
            told(Exit::NOT_FOUND, "no_repository", "`stem init` makes one here")
        }
        E::Exists { .. } => told(Exit::USAGE, "exists", ""),
        E::Config { .. } => told(Exit::DAMAGED, "config", "correct the file with an editor"),
        E::UnknownWorktree { .. } => told(
            Exit::NOT_FOUND,
            "unknown_worktree",
            "was the store made anew? `stem init` in another directory attaches to it",
        ),
        E::Outside { .. } => told(Exit::USAGE, "outside", ""),
        E::Locked { .. } => told(Exit::TRY_AGAIN, "locked", "wait for it to end, then try again"),
        E::NoAuthor => told(Exit::USAGE, "no_author", NO_AUTHOR),
        E::Author(_) => told(Exit::USAGE, "bad_author", "write it as `Name <mail>`"),
        E::Epoch(_) => told(Exit::USAGE, "bad_time", "give seconds since 1970"),
        E::NoDataset(_) => told(Exit::NOT_FOUND, "no_dataset", "`stem datasets` lists them"),
        E::NoVersionYet { .. } => {
            told(Exit::NOT_FOUND, "no_version_yet", "`stem add` and `stem commit` make the first")
        }
        E::NoRevision { .. } => {
            told(Exit::NOT_FOUND, "no_revision", "`stem log` lists its versions")
        }
        E::BadRevision { .. } => told(Exit::USAGE, "bad_revision", ""),
        E::Ambiguous { .. } => told(Exit::USAGE, "ambiguous", "give more digits"),
        E::NoPath { .. } => told(Exit::NOT_FOUND, "no_path", "`stem ls -r` lists its paths"),
        E::DamagedFile { .. } | E::Lost { .. } | E::BadRecord { .. } => damaged(),
        E::Archived { .. } => archived(),
        E::AllAbsent { absent } if absent.iter().all(is_archived) => archived(),
        E::Erased { .. } | E::ErasedRecord { .. } | E::AllAbsent { .. } => told(
            Exit::GONE,
            "erased",
            "`stem certificate show` tells what was erased and why; it cannot come back",
        ),
        E::Content { source, .. } => tell_repo(source),
        E::Unsaved { .. } => told(
            Exit::UNSAVED,
            "unsaved",
            "commit them, or move them away, or overwrite them with `--force`",
        ),
        E::Clash(_) => told(Exit::USAGE, "name_clash", "use a file system that tells them apart"),
        E::Policy(_) => told(Exit::USAGE, "bad_policy", "`stem policy set FILE` sets another one"),
        E::Refused(_) => told(Exit::POLICY, "policy", "`stem policy explain` lists the rules"),
        E::Pin { problem, .. } => tell_pin(problem),
        E::Key(error) => tell_key(error),
        E::Sign(_) => told(Exit::NOT_ALLOWED, "signature", ""),
        E::Store(error) => tell_store(error),
        E::Catalogue(error) => tell_catalogue(error),
        E::Format(format::Error::Clash { .. }) => {
            told(Exit::USAGE, "name_clash", "remove or restore the other path too")
        }
        E::Format(_) => damaged(),
        E::Worktree(error) => tell_worktree(error),
        E::Write(WriteError::InTheWay { .. }) => {
            told(Exit::UNSAVED, "in_the_way", "move away what stands there")
        }
        E::Write(_) => told(Exit::DAMAGED, "write", ""),
        E::Git(error) => tell_git(error),
        E::Bag(error) => tell_bag(error),
    }
}

/// Whether somebody has named a directory, or what cannot be a name, where a file must be.
fn is_no_file(kind: io::ErrorKind) -> bool {
    matches!(kind, io::ErrorKind::IsADirectory | io::ErrorKind::InvalidFilename)
}

fn tell_pin(problem: &PinError) -> Told {
    match problem {
        PinError::OtherDataset { .. } | PinError::NoVersion(_) => {
            told(Exit::NOT_FOUND, "pin_elsewhere", "is this the worktree that belongs to it?")
        }
        PinError::OtherDigest { .. } => {
            told(Exit::DAMAGED, "pin_damaged", "`stem git-pin REV` writes it anew")
        }
        PinError::NotAFile | PinError::TooLong | PinError::Bad { .. } | PinError::Newer(_) => {
            told(Exit::USAGE, "bad_pin", "remove it, and `stem git-pin REV` writes it anew")
        }
    }
}

fn archived() -> Told {
    told(Exit::GONE, "archived", "`stem archive restore` brings it back")
}

fn is_archived(absent: &repo::Absent) -> bool {
    matches!(absent.presence, Presence::Archived { .. })
}

fn damaged() -> Told {
    told(Exit::DAMAGED, "damaged", "`stem fsck --read-data` lists everything that is damaged")
}

fn tell_store(error: &store::Error) -> Told {
    use store::Error as E;
    match error {
        E::Io { .. } | E::Missing { .. } | E::NotFound { .. } | E::Damaged { .. } => damaged(),
        E::Encode { .. } | E::Misplaced { .. } => told(Exit::BUG, "bug", ""),
        E::Poisoned => told(Exit::DAMAGED, "io", ""),
        E::StillPresent { .. } => told(Exit::DAMAGED, "still_present", ""),
    }
}

const ASK: &str = "`stem query --views` lists what can be asked; docs/catalogue.md explains it";

fn tell_catalogue(error: &catalogue::Error) -> Told {
    use catalogue::Error as E;
    match error {
        E::Missing { .. } => {
            told(Exit::NOT_FOUND, "no_catalogue", "`stem fsck --rebuild` makes it from the packs")
        }
        E::Exists { .. } => told(Exit::USAGE, "exists", ""),
        E::NotACatalogue { .. } => told(
            Exit::DAMAGED,
            "not_a_catalogue",
            "move the file away; `stem fsck --rebuild` makes a new one",
        ),
        E::Newer { .. } => told(Exit::DAMAGED, "newer", "use a newer stem"),
        E::Planted { .. } => told(Exit::DAMAGED, "planted", "do not trust this store"),
        E::SharedFileSystem { .. } => told(
            Exit::USAGE,
            "shared_file_system",
            "keep the store on a local disk: `stem init --store DIR`",
        ),
        E::PathNotText { .. } => told(Exit::USAGE, "bad_path", ""),
        E::Full { .. } => told(Exit::NO_SPACE, "no_space", "free some space, then do it again"),
        E::Moved { .. } => told(
            Exit::TRY_AGAIN,
            "lost_race",
            "another worktree was faster; `stem status` says where it is now, `stem switch` goes there",
        ),
        E::Busy { .. } | E::Fenced { .. } => {
            told(Exit::TRY_AGAIN, "lost_race", "somebody else was faster; try again")
        }
        E::Uncertain { .. } => {
            told(Exit::TRY_AGAIN, "uncertain", "look with `stem log` whether it was done")
        }
        E::ReadOnly { .. } => told(Exit::NOT_ALLOWED, "read_only", ""),
        E::BadQuestion { .. } => told(Exit::USAGE, "bad_query", ASK),
        E::Cycle { .. } => told(Exit::USAGE, "cycle", ""),
        E::TooSlow { .. } => told(Exit::USAGE, "too_slow", "ask for less, or `query --timeout`"),
        E::TooMuch { .. } => told(Exit::USAGE, "too_much", "ask for less, or `query --memory`"),
        E::Taken { .. } => told(Exit::USAGE, "taken", "choose another name"),
        E::Unknown { .. } => told(Exit::NOT_FOUND, "not_found", ""),
        E::InUse { .. } => told(Exit::USAGE, "in_use", ""),
        E::Frozen { .. } | E::Illegal { .. } => tell_state(error),
        E::Io { .. }
        | E::System { .. }
        | E::Corrupt { .. }
        | E::BadRow { .. }
        | E::BadRecord { .. }
        | E::Database { .. }
        | E::Migration { .. }
        | E::BadJournal { .. }
        | E::Loading { .. } => told(
            Exit::DAMAGED,
            "catalogue",
            "`stem fsck` says what is damaged, `stem fsck --rebuild` makes the catalogue anew",
        ),
        E::NotFenced { .. }
        | E::NoRecord { .. }
        | E::TooLarge { .. }
        | E::Json { .. }
        | E::NotEmpty => told(Exit::BUG, "bug", ""),
    }
}

fn tell_state(error: &catalogue::Error) -> Told {
    if matches!(error, catalogue::Error::Frozen { .. }) {
        let hint = "`stem state show` says why; `stem state set DATASET deprecated` brings it back";
        return told(Exit::POLICY, "frozen", hint);
    }
    told(Exit::USAGE, "illegal_state", "`stem state --help` lists the moves that are allowed")
}

/// Says that the program is wrong, not the user.
pub(crate) fn bug(info: &PanicHookInfo<'_>) {
    let place = info.location().map(ToString::to_string).unwrap_or_default();
    let what = info.payload_as_str().unwrap_or("no message");
    // How the thread of the database ends when a question takes all of its memory, which is told.
    if what.starts_with("SQLite failed to allocate memory") {
        return;
    }
    let _ = writeln!(
        anstream::stderr(),
        "error: stem has a bug: {what} ({place})\nhint: nothing that was acknowledged is lost; \
         please report this line and what you did"
    );
}
