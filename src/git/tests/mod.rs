//! The room against the program `git` itself.

mod code;
mod history;
mod identity;
mod ignore;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A directory with Git repositories in it that know nothing of the machine's configuration.
struct Sandbox {
    directory: tempfile::TempDir,
}

impl Sandbox {
    fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap() }
    }

    fn with_repository(name: &str) -> (Self, PathBuf) {
        let sandbox = Self::new();
        sandbox.git(sandbox.path(), ["init", "-q", "-b", "main", name]);
        let repository = sandbox.path().join(name);
        (sandbox, repository)
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    fn command(&self, directory: &Path) -> Command {
        let mut command = Command::new("git");
        command.current_dir(directory).env_clear();
        command.env("PATH", std::env::var_os("PATH").unwrap());
        command.env("HOME", self.path()).env("GIT_CONFIG_NOSYSTEM", "1");
        for who in ["AUTHOR", "COMMITTER"] {
            command
                .env(format!("GIT_{who}_NAME"), "Ada")
                .env(format!("GIT_{who}_EMAIL"), "a@x.org");
            command.env(format!("GIT_{who}_DATE"), "1700000000 +0130");
        }
        command
    }

    /// What `git` prints.
    fn git<S: AsRef<OsStr>>(
        &self,
        directory: &Path,
        arguments: impl IntoIterator<Item = S>,
    ) -> Vec<u8> {
        self.run(self.command(directory).args(arguments), b"")
    }

    fn run(&self, command: &mut Command, input: &[u8]) -> Vec<u8> {
        let (printed, code) = self.run_any(command, input);
        assert_eq!(code, Some(0), "{command:?}");
        printed
    }

    /// What the command prints, and its exit code.
    fn run_any(&self, command: &mut Command, input: &[u8]) -> (Vec<u8>, Option<i32>) {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut pipe = child.stdin.take().unwrap();
        let output = std::thread::scope(|scope| {
            scope.spawn(move || std::io::Write::write_all(&mut pipe, input).ok());
            child.wait_with_output().unwrap()
        });
        eprint!("{}", String::from_utf8_lossy(&output.stderr));
        (output.stdout, output.status.code())
    }

    fn text<S: AsRef<OsStr>>(
        &self,
        directory: &Path,
        arguments: impl IntoIterator<Item = S>,
    ) -> String {
        String::from_utf8(self.git(directory, arguments)).unwrap().trim_end().into()
    }

    fn write(&self, path: &Path, content: &[u8]) {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        #[expect(clippy::disallowed_methods, reason = "a file for Git to find")]
        std::fs::write(path, content).unwrap();
    }

    /// Writes everything into a commit with `message`.
    fn commit(&self, repository: &Path, message: &str) -> String {
        self.git(repository, ["add", "-A"]);
        self.git(repository, ["commit", "-q", "--allow-empty", "-m", message]);
        self.text(repository, ["rev-parse", "HEAD"])
    }
}
