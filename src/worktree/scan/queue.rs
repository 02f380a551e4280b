//! What is still to be looked at, newest first, so that few directories are open at a time.

use std::ffi::CString;
use std::io;
use std::ops::Range;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use rustix::fs::{Mode, OFlags};

use super::directory::Listing;

/// A piece of work.
pub(super) enum Job {
    /// List a directory.
    Directory {
        /// The opened directory that holds it; none for the top, which `name` leads to.
        parent: Option<Arc<OwnedFd>>,
        /// Its name.
        name: CString,
        /// Its path from the top.
        path: Vec<u8>,
    },
    /// Look at some of the names of a listed directory.
    Names {
        /// The directory.
        listing: Arc<Listing>,
        /// Which names.
        range: Range<usize>,
    },
}

/// Jobs, and how many are being worked on.
pub(super) struct Queue {
    state: Mutex<State>,
    news: Condvar,
}

struct State {
    jobs: Vec<Job>,
    working: usize,
}

impl Queue {
    /// A queue that begins with the directory `root`.
    pub(super) fn starting_at(root: &Path) -> io::Result<Self> {
        let flags = OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::RDONLY;
        let top = rustix::fs::open(root, flags, Mode::empty())?;
        let parent = Some(Arc::new(top));
        let first = Job::Directory { parent, name: c".".to_owned(), path: Vec::new() };
        let state = State { jobs: vec![first], working: 0 };
        Ok(Self { state: Mutex::new(state), news: Condvar::new() })
    }

    pub(super) fn push(&self, jobs: impl IntoIterator<Item = Job>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let before = state.jobs.len();
        state.jobs.extend(jobs);
        if state.jobs.len() > before {
            self.news.notify_all();
        }
    }

    /// The next job; none when there are no more and nobody can make new ones.
    pub(super) fn next(&self) -> Option<Job> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(job) = state.jobs.pop() {
                state.working += 1;
                return Some(job);
            }
            if state.working == 0 {
                return None;
            }
            state = self.news.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// A job that [`Queue::next`] gave is done.
    pub(super) fn done(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.working -= 1;
        if state.working == 0 && state.jobs.is_empty() {
            self.news.notify_all();
        }
    }
}
