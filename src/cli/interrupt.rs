//! Ctrl-C: ends the program at once, unless a command that it runs has to be ended first.

use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, OnceLock};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use super::Exit;

/// Whether an interrupt ends the program.
static ENDS: OnceLock<Arc<AtomicBool>> = OnceLock::new();

/// From now on Ctrl-C ends the program at once with the code that is documented for it: at any
/// moment that is as safe as being killed.
pub(super) fn end_when_interrupted() {
    let ends = ENDS.get_or_init(|| Arc::new(AtomicBool::new(true)));
    let exit = i32::from(Exit::INTERRUPTED.0);
    // Without it the signal ends the program all the same, only with another code.
    let _ = signal_hook::flag::register_conditional_shutdown(SIGINT, exit, Arc::clone(ends));
}

/// A time in which interrupts are noted, and do not end the program.
pub(super) struct Noted {
    /// Set when somebody wants the program to end.
    pub(super) seen: Arc<AtomicBool>,
}

impl Noted {
    /// From now on, until it is dropped.
    pub(super) fn begin() -> Self {
        let seen = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            // Where a signal cannot be taken it ends the program, and the command goes on alone.
            let _ = signal_hook::flag::register(signal, Arc::clone(&seen));
        }
        if let Some(ends) = ENDS.get() {
            ends.store(false, SeqCst);
        }
        Self { seen }
    }
}

impl Drop for Noted {
    fn drop(&mut self) {
        if let Some(ends) = ENDS.get() {
            ends.store(true, SeqCst);
        }
    }
}
