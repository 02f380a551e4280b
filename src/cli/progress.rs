//! How far long work has come, on a terminal.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use indicatif::{HumanCount, ProgressBar, ProgressDrawTarget, ProgressStyle};
use stemmata::model::Progress;

/// Work shorter than this shows no bar.
const PATIENCE: Duration = Duration::from_millis(400);
const WITH_END: &str = "{msg} {wide_bar} {bytes}/{total_bytes} {bytes_per_sec} {prefix} {eta}";
const WITHOUT_END: &str = "{msg} {spinner} {bytes} {bytes_per_sec} {prefix}";

/// A bar on stderr that shows bytes, files and the time left.
#[derive(Default)]
pub(crate) struct Bar {
    phase: Mutex<Option<Phase>>,
    files: AtomicU64,
    bytes: AtomicU64,
}

struct Phase {
    bar: ProgressBar,
    begun: std::time::Instant,
    files: Option<u64>,
    shown: bool,
}

impl Bar {
    fn draw(&self, phase: &mut Phase) {
        if !phase.shown {
            if phase.begun.elapsed() < PATIENCE {
                return;
            }
            phase.shown = true;
            phase.bar.set_draw_target(ProgressDrawTarget::stderr_with_hz(10));
        }
        let done = HumanCount(self.files.load(Relaxed));
        let files = match phase.files {
            Some(all) => format!("{done}/{} files", HumanCount(all)),
            None => format!("{done} files"),
        };
        phase.bar.set_prefix(files);
        phase.bar.set_position(self.bytes.load(Relaxed));
    }
}

impl Progress for Bar {
    fn begin(&self, what: &str, files: Option<u64>, bytes: Option<u64>) {
        let bar = ProgressBar::with_draw_target(bytes, ProgressDrawTarget::hidden());
        let template = if bytes.is_some() { WITH_END } else { WITHOUT_END };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.set_message(what.to_owned());
        self.files.store(0, Relaxed);
        self.bytes.store(0, Relaxed);
        let begun = std::time::Instant::now();
        let phase = Phase { bar, begun, files, shown: false };
        *self.phase.lock().unwrap_or_else(PoisonError::into_inner) = Some(phase);
    }

    fn advance(&self, files: u64, bytes: u64) {
        let before = self.files.fetch_add(files, Relaxed);
        self.bytes.fetch_add(bytes, Relaxed);
        // One file in 64 is enough for the eye.
        if bytes < 1 << 16 && !(before + files).is_multiple_of(64) {
            return;
        }
        if let Ok(mut phase) = self.phase.try_lock()
            && let Some(phase) = phase.as_mut()
        {
            self.draw(phase);
        }
    }

    fn end(&self) {
        if let Some(phase) = self.phase.lock().unwrap_or_else(PoisonError::into_inner).take() {
            phase.bar.finish_and_clear();
        }
    }
}
