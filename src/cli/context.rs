//! What a verb is given: where it works, whom it tells, how it answers.

use std::env::VarError;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;
use stemmata::model::{Author, FixedClock, Presence, Progress, Silent, Time};
use stemmata::repo::{Absent, Environment, Repository};

use super::args::{Color, Everywhere};
use super::progress::Bar;
use super::{Exit, Failure};

/// The surroundings of one run.
pub(crate) struct Context {
    /// Where it works.
    pub(crate) directory: PathBuf,
    /// One JSON document instead of text.
    pub(crate) json: bool,
    /// Nothing but the result and errors.
    pub(crate) quiet: bool,
    /// More.
    pub(crate) verbose: bool,
    /// Every question is answered with yes.
    pub(crate) yes: bool,
    threads: Option<usize>,
}

impl Context {
    /// The surroundings that the arguments and the environment describe.
    pub(crate) fn new(everywhere: &Everywhere) -> Result<Self, Failure> {
        let choice = match everywhere.color {
            Color::Auto => anstream::ColorChoice::Auto,
            Color::Always => anstream::ColorChoice::Always,
            Color::Never => anstream::ColorChoice::Never,
        };
        choice.write_global();
        let directory = everywhere.start.clone().unwrap_or_else(|| PathBuf::from("."));
        Ok(Self {
            directory,
            json: everywhere.json,
            quiet: everywhere.quiet,
            verbose: everywhere.verbose,
            yes: everywhere.yes,
            threads: everywhere.threads.map(usize::from),
        })
    }

    /// What the library gets from outside.
    pub(crate) fn environment(&self) -> Result<Environment, Failure> {
        let mut environment = Environment { threads: self.threads, ..Environment::default() };
        environment.progress = self.progress();
        environment.keys = key_directory();
        if let Some(author) = variable("STEM_AUTHOR")? {
            let parsed = author.parse::<Author>();
            environment.author = Some(parsed.map_err(stemmata::repo::Error::Author)?);
        }
        if let Some(epoch) = variable("SOURCE_DATE_EPOCH")? {
            let bad = || stemmata::model::TimeError(epoch.clone());
            let seconds = epoch.trim().parse().map_err(|_| bad());
            let time = seconds.and_then(Time::from_unix).map_err(stemmata::repo::Error::Epoch)?;
            environment.clock = Arc::new(FixedClock(time));
        }
        Ok(environment)
    }

    /// The same, answering with one JSON document.
    pub(crate) fn with_json(&self) -> Self {
        Self { directory: self.directory.clone(), json: true, ..*self }
    }

    fn progress(&self) -> Arc<dyn Progress> {
        if self.quiet || self.json || !io::stderr().is_terminal() {
            return Arc::new(Silent);
        }
        Arc::new(Bar::default())
    }

    /// The repository, to read it.
    pub(crate) fn open(&self) -> Result<Repository, Failure> {
        Ok(Repository::open(&self.directory, self.environment()?)?)
    }

    /// The repository, to read it, if there is one here.
    pub(crate) fn open_if_any(&self) -> Result<Option<Repository>, Failure> {
        match self.open() {
            Ok(repository) => Ok(Some(repository)),
            Err(Failure::Repo(stemmata::repo::Error::NoRepository { .. })) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The repository, to change it; only to read it for a dry run.
    pub(crate) fn open_to_write(&self, dry_run: bool) -> Result<Repository, Failure> {
        if dry_run {
            return self.open();
        }
        Ok(Repository::open_to_write(&self.directory, self.environment()?)?)
    }

    /// Paths of the command line, relative to the worktree's top; none given is none back.
    pub(crate) fn paths(
        &self,
        repository: &Repository,
        given: &[PathBuf],
    ) -> Result<Vec<Vec<u8>>, Failure> {
        given.iter().map(|path| self.path(repository, path)).collect()
    }

    /// A path of the command line, relative to the worktree's top.
    pub(crate) fn path(&self, repository: &Repository, given: &Path) -> Result<Vec<u8>, Failure> {
        Ok(repository.place.inside(given)?)
    }

    /// A file of the command line, seen from where it works.
    pub(crate) fn file(&self, given: &Path) -> PathBuf {
        if self.directory == Path::new(".") {
            return given.to_path_buf();
        }
        self.directory.join(given)
    }

    /// Says what was done: `data` as JSON, or what `text` writes unless `-q` was given.
    pub(crate) fn done<T: Serialize>(
        &self,
        verb: &str,
        data: &T,
        text: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> Result<(), Failure> {
        if self.quiet && !self.json { Ok(()) } else { self.show(verb, data, text) }
    }

    /// The same surroundings, answering with a JSON document.
    pub(crate) fn as_json(&self) -> Self {
        Self { directory: self.directory.clone(), json: true, ..*self }
    }

    /// Answers: `data` as JSON, or what `text` writes.
    pub(crate) fn show<T: Serialize>(
        &self,
        verb: &str,
        data: &T,
        text: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> Result<(), Failure> {
        let written = if self.json { self.show_json(verb, data) } else { show_text(text) };
        match written {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            other => other.map_err(Failure::Answer),
        }
    }

    /// As [`Context::show`], for text that another program reads: every byte is kept, also those
    /// that would mean something to a terminal.
    pub(crate) fn show_exactly<T: Serialize>(
        &self,
        verb: &str,
        data: &T,
        text: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> Result<(), Failure> {
        if self.json {
            return self.show(verb, data, text);
        }
        let mut out = io::BufWriter::new(io::stdout().lock());
        match text(&mut out).and_then(|()| out.flush()) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            other => other.map_err(Failure::Answer),
        }
    }

    fn show_json<T: Serialize>(&self, verb: &str, data: &T) -> io::Result<()> {
        #[derive(Serialize)]
        struct Document<'a, T> {
            schema: String,
            data: &'a T,
        }
        let mut out = io::BufWriter::new(io::stdout().lock());
        let schema = format!("stem.{verb}/1");
        serde_json::to_writer(&mut out, &Document { schema, data })?;
        out.write_all(b"\n")?;
        out.flush()
    }

    /// Tells the user something that is not the answer.
    pub(crate) fn tell(&self, text: &str) {
        if !self.quiet && !self.json {
            // Nobody is left to tell when the terminal has gone.
            let _ = writeln!(anstream::stderr(), "{text}");
        }
    }

    /// Tells which files are not there because their content is gone by design, and how to end.
    pub(crate) fn absent(&self, absent: &[Absent]) -> Exit {
        for one in absent {
            let path = one.path.show();
            let why = match &one.presence {
                Presence::Archived { place, .. } => format!("archived: {place}"),
                gone => format!("erased, certificate {:.16}", gone.certificate().unwrap_or("?")),
            };
            self.warn(&format!("{path} is not there: {why}"));
        }
        Exit::done_unless(!absent.is_empty())
    }

    /// Tells the user of items that did not work and do not stop the rest: of the first ones, and how
    /// many there are.
    pub(crate) fn warn_each(&self, texts: impl ExactSizeIterator<Item = String>) {
        const SHOWN: usize = 20;
        let more = texts.len().saturating_sub(SHOWN);
        texts.take(SHOWN).for_each(|text| self.warn(&text));
        if more > 0 {
            self.warn(&format!("and {more} more of this kind; `--json` lists them all"));
        }
    }

    /// Tells the user of something that did not work and does not stop the rest.
    pub(crate) fn warn(&self, text: &str) {
        if !self.json {
            let style = anstyle::AnsiColor::Yellow.on_default().bold();
            let _ = writeln!(anstream::stderr(), "{style}warning:{style:#} {text}");
        }
    }
}

fn show_text(text: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let mut out = io::BufWriter::new(anstream::stdout().lock());
    text(&mut out)?;
    out.flush()
}

/// Where private keys lie: `$STEM_KEYS`, else below the directory for settings.
fn key_directory() -> Option<PathBuf> {
    let settings = || match directory_in("XDG_CONFIG_HOME") {
        Some(directory) => Some(directory),
        None => Some(directory_in("HOME")?.join(".config")),
    };
    match directory_in("STEM_KEYS") {
        Some(directory) => Some(directory),
        None => Some(settings()?.join("stem/keys")),
    }
}

/// A directory that a variable names, whether or not it is UTF-8.
fn directory_in(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}

/// What a variable says, if it says something. One that cannot be read is not passed over: the
/// journal would name somebody else, or another time.
fn variable(name: &str) -> Result<Option<String>, Failure> {
    match std::env::var(name) {
        Ok(value) => Ok(Some(value).filter(|value| !value.is_empty())),
        Err(VarError::NotPresent) => Ok(None),
        Err(VarError::NotUnicode(_)) => Err(Failure::Usage(format!("{name} is not UTF-8"))),
    }
}
