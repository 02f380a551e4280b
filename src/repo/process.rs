//! Running a command: its output passed on as it comes, its end kept, killed whole when it must end.

use std::ffi::OsString;
use std::io::{self, Read};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};

/// How much of what a command prints is kept.
pub const TAIL_BYTES: usize = 4096;

const PAUSE: Duration = Duration::from_millis(10);
/// How often a command that was asked to end is looked at before it is killed: two seconds.
const GRACE: u32 = 200;

/// How a command has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// Its exit code; 128 and the signal's number if it was killed, as a shell has it.
    pub code: i32,
    /// The last [`TAIL_BYTES`] of what it has printed.
    pub tail: Vec<u8>,
    /// Whether it was ended because the user said so.
    pub interrupted: bool,
}

/// Runs `words` in `directory`, without a shell and without input.
///
/// What it prints, on both streams, goes to `live` as it comes. It has a process group of its own;
/// once `interrupted` is set, the whole group is asked to end, and after two seconds killed.
///
/// # Errors
///
/// When it cannot be started.
pub fn run_command(
    words: &[OsString],
    directory: &Path,
    interrupted: &AtomicBool,
    live: &(dyn Fn(&[u8]) + Sync),
) -> io::Result<Ended> {
    let (program, arguments) =
        words.split_first().ok_or_else(|| io::Error::other("no command was given"))?;
    let mut child = Command::new(program)
        .args(arguments)
        .current_dir(directory)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()?;
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let tail = Mutex::new(Vec::new());
    let ended = std::thread::scope(|scope| {
        scope.spawn(|| pass_on(out, &tail, live));
        scope.spawn(|| pass_on(err, &tail, live));
        wait(&mut child, interrupted)
    })?;
    let tail = tail.into_inner().unwrap_or_else(PoisonError::into_inner);
    let (status, interrupted) = ended;
    let killed = || status.signal().map_or(255, |signal| 128 + signal);
    Ok(Ended { code: status.code().unwrap_or_else(killed), tail, interrupted })
}

fn pass_on(stream: Option<impl Read>, tail: &Mutex<Vec<u8>>, live: &(dyn Fn(&[u8]) + Sync)) {
    let Some(mut stream) = stream else { return };
    let mut buffer = [0; 8192];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return,
            Ok(read) => {
                live(&buffer[..read]);
                let mut tail = tail.lock().unwrap_or_else(PoisonError::into_inner);
                tail.extend_from_slice(&buffer[..read]);
                let surplus = tail.len().saturating_sub(TAIL_BYTES);
                tail.drain(..surplus);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return,
        }
    }
}

/// Waits for the child, and ends it with everything that it has started if the user says so.
fn wait(
    child: &mut Child,
    interrupted: &AtomicBool,
) -> io::Result<(std::process::ExitStatus, bool)> {
    let mut asked = 0_u32;
    loop {
        if let Some(status) = child.try_wait()? {
            if asked > 0 {
                // Whoever of the group is left keeps the streams open.
                signal(child, Signal::KILL);
            }
            return Ok((status, asked > 0));
        }
        if interrupted.load(Relaxed) {
            match asked {
                0 => signal(child, Signal::TERM),
                GRACE => signal(child, Signal::KILL),
                _ => {}
            }
            asked += 1;
        }
        std::thread::sleep(PAUSE);
    }
}

fn signal(child: &Child, signal: Signal) {
    let id = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    // A group that is gone already is what was wanted.
    let _ = id.map(|id| kill_process_group(id, signal));
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    fn sh(script: &str, interrupted: &AtomicBool) -> (Ended, Vec<u8>) {
        let words: Vec<OsString> = ["sh", "-c", script].map(OsString::from).to_vec();
        let seen = Mutex::new(Vec::new());
        let live = |bytes: &[u8]| seen.lock().unwrap().extend_from_slice(bytes);
        let directory = tempfile::tempdir().unwrap();
        let ended = run_command(&words, directory.path(), interrupted, &live).unwrap();
        (ended, seen.into_inner().unwrap())
    }

    #[test]
    fn a_command_is_seen_whole_and_its_end_is_kept() {
        let never = AtomicBool::new(false);
        let (ended, seen) = sh("seq 5000; echo no >&2; cat; exit 7", &never);
        assert_eq!((ended.code, ended.interrupted), (7, false));
        assert_eq!(seen.len(), 23_893 + 3);
        assert_eq!(ended.tail.len(), TAIL_BYTES);
        let (ended, _) = sh("kill -9 $$", &never);
        assert_eq!((ended.code, ended.interrupted), (137, false));
        let words = [OsString::from("./no such program")];
        let error = run_command(&words, Path::new("/"), &never, &|_| {}).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn an_interrupted_command_ends_with_all_that_it_has_started() {
        for script in ["sleep 600 & sleep 600", "trap '' TERM; sleep 600; sleep 600"] {
            let interrupted = AtomicBool::new(false);
            let begun = Instant::now();
            let (ended, _) = std::thread::scope(|scope| {
                scope.spawn(|| {
                    std::thread::sleep(Duration::from_millis(300));
                    interrupted.store(true, Relaxed);
                });
                sh(script, &interrupted)
            });
            assert!(ended.interrupted);
            assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
        }
    }
}
