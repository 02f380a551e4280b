//! Work shared by threads.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

use super::Result;
use super::ingest::join;

/// Does `work` for every item, on up to `threads` threads that take turns; each thread makes a
/// state for itself. Items are begun in their order.
///
/// # Errors
///
/// The first error; what has not begun by then is left out.
pub fn each<T: Sync, S>(
    threads: usize,
    items: &[T],
    state: impl Fn() -> Result<S> + Sync,
    work: impl Fn(&mut S, &T) -> Result<()> + Sync,
) -> Result<()> {
    let (next, stop, failed) = (AtomicUsize::new(0), AtomicBool::new(false), Mutex::new(None));
    let one = || -> Result<()> {
        let mut state = state()?;
        while !stop.load(Relaxed) {
            let Some(item) = items.get(next.fetch_add(1, Relaxed)) else { break };
            work(&mut state, item)?;
        }
        Ok(())
    };
    let watched = || {
        if let Err(error) = one() {
            stop.store(true, Relaxed);
            failed.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
        }
    };
    match threads.min(items.len()) {
        0 => {}
        1 => watched(),
        threads => std::thread::scope(|scope| {
            let workers: Vec<_> = (0..threads).map(|_| scope.spawn(watched)).collect();
            workers.into_iter().for_each(join);
        }),
    }
    failed.into_inner().unwrap_or_else(PoisonError::into_inner).map_or(Ok(()), Err)
}
