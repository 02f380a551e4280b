//! Exit codes, as documented in `docs/cli.md`.

/// How the program ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Exit(pub(crate) u8);

impl Exit {
    /// Done, or "no difference", "clean", "verified".
    pub(crate) const DONE: Self = Self(0);
    /// The answer is no.
    pub(crate) const NO: Self = Self(1);
    /// The arguments make no sense.
    pub(crate) const USAGE: Self = Self(2);
    /// Finished, but some items failed.
    pub(crate) const SOME_FAILED: Self = Self(3);
    /// Stopped with conflicts.
    pub(crate) const CONFLICTS: Self = Self(4);
    /// No repository, no such revision, path or dataset.
    pub(crate) const NOT_FOUND: Self = Self(10);
    /// Lock held, or a lost race.
    pub(crate) const TRY_AGAIN: Self = Self(11);
    /// Key, permission or signature refused.
    pub(crate) const NOT_ALLOWED: Self = Self(12);
    /// Damaged or missing object.
    pub(crate) const DAMAGED: Self = Self(13);
    /// Refused by the policy, a protected branch, or the frozen branches of a retired dataset.
    pub(crate) const POLICY: Self = Self(14);
    /// Unsaved changes would be lost.
    pub(crate) const UNSAVED: Self = Self(15);
    /// Refused by a hold or a retention floor.
    pub(crate) const HELD: Self = Self(15);
    /// Approval missing, or the plan is out of date.
    pub(crate) const NOT_APPROVED: Self = Self(16);
    /// Content erased or archived by design.
    pub(crate) const GONE: Self = Self(19);
    /// Erasure incomplete.
    pub(crate) const INCOMPLETE: Self = Self(20);
    /// Out of space.
    pub(crate) const NO_SPACE: Self = Self(18);
    /// A bug.
    pub(crate) const BUG: Self = Self(70);
    /// Ctrl-C.
    pub(crate) const INTERRUPTED: Self = Self(130);

    /// Done, or some items failed.
    pub(crate) fn done_unless(failed: bool) -> Self {
        if failed { Self::SOME_FAILED } else { Self::DONE }
    }
}
