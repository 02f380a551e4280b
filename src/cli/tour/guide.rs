//! Runs the program as a user would and shows what it says.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Serialize;

use crate::cli::{Context, Failure};

/// A command of the tour and how it ended.
#[derive(Debug, Serialize)]
pub(super) struct Step {
    /// What was typed.
    pub(super) command: String,
    /// Its exit code.
    pub(super) exit: i32,
}

/// Leads through the tour.
pub(super) struct Guide<'a> {
    context: &'a Context,
    program: PathBuf,
    directory: PathBuf,
    keys: PathBuf,
    author: &'static str,
    pub(super) steps: Vec<Step>,
}

impl<'a> Guide<'a> {
    pub(super) fn new(
        context: &'a Context,
        directory: PathBuf,
        keys: PathBuf,
    ) -> Result<Self, Failure> {
        let program = std::env::current_exe().map_err(Failure::Answer)?;
        let author = "Lin Mei <lin@example.org>";
        Ok(Self { context, program, directory, keys, author, steps: Vec::new() })
    }

    /// Somebody else sits down at the keyboard.
    pub(super) fn author(&mut self, author: &'static str) {
        self.author = author;
    }

    /// The directory in which commands are run.
    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Goes to another directory.
    pub(super) fn go(&mut self, directory: PathBuf) -> Result<(), Failure> {
        self.print(format_args!("$ cd {}\n", directory.display()))?;
        self.directory = directory;
        Ok(())
    }

    fn print(&self, text: std::fmt::Arguments<'_>) -> Result<(), Failure> {
        if self.context.json || self.context.quiet {
            return Ok(());
        }
        match anstream::stdout().lock().write_fmt(text) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failure::Answer(error)),
            _ => Ok(()),
        }
    }

    /// A heading.
    pub(super) fn scene(&self, title: &str) -> Result<(), Failure> {
        let bold = anstyle::Style::new().bold();
        self.print(format_args!("\n{bold}{title}{bold:#}\n"))
    }

    /// Tells what happens outside of the program.
    pub(super) fn say(&self, text: &str) -> Result<(), Failure> {
        let dim = anstyle::Style::new().dimmed();
        self.print(format_args!("{dim}# {text}{dim:#}\n"))
    }

    /// Runs a command that must do what it is asked for.
    pub(super) fn stem(&mut self, arguments: &[&str]) -> Result<(), Failure> {
        self.stem_ends(0, arguments)
    }

    /// Runs a command that must end with this exit code.
    pub(super) fn stem_ends(&mut self, exit: i32, arguments: &[&str]) -> Result<(), Failure> {
        self.play(exit, arguments).map(drop)
    }

    /// Runs a command that must do what it is asked for; what it answers.
    pub(super) fn stem_says(&mut self, arguments: &[&str]) -> Result<String, Failure> {
        self.play(0, arguments)
    }

    fn play(&mut self, exit: i32, arguments: &[&str]) -> Result<String, Failure> {
        let quoted: Vec<_> = arguments.iter().map(|word| quote(word)).collect();
        let command = format!("stem {}", quoted.join(" "));
        let green = anstyle::AnsiColor::Green.on_default();
        self.print(format_args!("{green}$ {command}{green:#}\n"))?;
        let output = Command::new(&self.program)
            .args(arguments)
            .current_dir(&self.directory)
            .env("STEM_AUTHOR", self.author)
            .env("STEM_KEYS", &self.keys)
            .output()
            .map_err(Failure::Answer)?;
        self.print(format_args!("{}", String::from_utf8_lossy(&output.stdout)))?;
        self.print(format_args!("{}", String::from_utf8_lossy(&output.stderr)))?;
        let ended = output.status.code().unwrap_or(-1);
        self.steps.push(Step { command: command.clone(), exit: ended });
        if ended != exit {
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            return Err(Failure::Tour { command, ended, expected: exit, said });
        }
        if exit != 0 {
            self.say(&format!("exit code {exit}"))?;
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Removes a file, as a user would.
    pub(super) fn remove(&self, path: &str) -> Result<(), Failure> {
        std::fs::remove_file(self.directory.join(path)).map_err(Failure::Answer)
    }

    /// The path of the certificate that the store here has.
    pub(super) fn certificate(&self) -> Result<String, Failure> {
        let folder = ".stem/store/certificates";
        let mut entries =
            std::fs::read_dir(self.directory.join(folder)).map_err(Failure::Answer)?;
        let none = || io::Error::from(io::ErrorKind::NotFound);
        let first = entries.next().ok_or_else(none).flatten().map_err(Failure::Answer)?;
        Ok(format!("{folder}/{}", first.file_name().display()))
    }

    /// Writes a file, as an editor or a program would.
    pub(super) fn write(&self, path: &str, bytes: &[u8]) -> Result<(), Failure> {
        let path = self.directory.join(path);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).map_err(Failure::Answer)?;
        }
        #[expect(clippy::disallowed_methods, reason = "a user's files, not the store's")]
        std::fs::write(path, bytes).map_err(Failure::Answer)
    }

    /// Changes a text file line by line; a line that becomes nothing goes.
    pub(super) fn edit(
        &self,
        path: &str,
        mut line: impl FnMut(usize, &str) -> Option<String>,
    ) -> Result<(), Failure> {
        let text = std::fs::read_to_string(self.directory.join(path)).map_err(Failure::Answer)?;
        let lines = text.lines().enumerate().filter_map(|(number, text)| line(number, text));
        let edited: String = lines.map(|line| line + "\n").collect();
        self.write(path, edited.as_bytes())
    }
}

fn quote(word: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_./:@~^=+,{}".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}
