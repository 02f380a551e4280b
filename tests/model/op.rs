//! What users do, at random.

use proptest::prelude::*;

pub(crate) const PATHS: [&str; 9] =
    ["a", "b", "d", "d/x", "d/y", "e/f/g", "e/h", "a.theirs", "d/x/z"];
pub(crate) const SCOPES: [&str; 7] = ["", "a", "b", "d", "d/x", "e", "e/f"];
pub(crate) const BRANCHES: [&str; 4] = ["main", "side", "third", "new"];

#[derive(Debug, Clone)]
pub(crate) enum Op {
    Write(u8, u8, u8),
    Delete(u8),
    Add {
        scope: u8,
        update: bool,
    },
    Remove {
        scope: u8,
        cached: bool,
        force: bool,
    },
    Rename(u8, u8),
    Commit {
        all: bool,
        allow_empty: bool,
    },
    SwitchTo {
        branch: u8,
        force: bool,
    },
    SwitchNew {
        branch: u8,
        version: Option<u8>,
        force: bool,
    },
    Detach {
        version: u8,
        force: bool,
    },
    Reset {
        depth: u8,
        version: u8,
        force: bool,
    },
    Restore {
        scope: u8,
        source: Option<u8>,
        staged: bool,
        worktree: bool,
        force: bool,
    },
    Bring {
        doing: u8,
        version: u8,
        favour: Option<bool>,
        no_fast_forward: bool,
    },
    Abort(u8),
    Rollback {
        branch: u8,
        version: u8,
    },
    Branch {
        name: u8,
        version: u8,
        force: bool,
    },
    Undo {
        force: bool,
    },
    /// Clears the place of a path, writes it, adds everything and commits.
    Save(u8, u8, u8),
}

fn rarely() -> impl Strategy<Value = bool> {
    proptest::bool::weighted(0.2)
}

pub(crate) fn files() -> impl Strategy<Value = Op> {
    let n = any::<u8>;
    prop_oneof![
        8 => (n(), n(), n()).prop_map(|(path, content, mode)| Op::Write(path, content, mode)),
        2 => n().prop_map(Op::Delete),
        4 => (n(), rarely()).prop_map(|(scope, update)| Op::Add { scope, update }),
        2 => Just(Op::Add { scope: 0, update: false }),
        1 => (n(), any::<bool>(), rarely())
            .prop_map(|(scope, cached, force)| Op::Remove { scope, cached, force }),
        2 => (n(), n()).prop_map(|(from, to)| Op::Rename(from, to)),
        2 => (n(), any::<Option<u8>>(), any::<bool>(), any::<bool>(), any::<bool>()).prop_map(
            |(scope, source, staged, worktree, force)| Op::Restore {
                scope, source, staged, worktree, force
            }),
    ]
}

pub(crate) fn versions() -> impl Strategy<Value = Op> {
    let n = any::<u8>;
    prop_oneof![
        12 => (n(), n(), n()).prop_map(|(path, content, mode)| Op::Save(path, content, mode)),
        6 => (any::<bool>(), rarely())
            .prop_map(|(all, allow_empty)| Op::Commit { all, allow_empty }),
        4 => (n(), rarely()).prop_map(|(branch, force)| Op::SwitchTo { branch, force }),
        2 => (n(), any::<Option<u8>>(), rarely()).prop_map(
            |(branch, version, force)| Op::SwitchNew { branch, version, force }),
        1 => (n(), rarely()).prop_map(|(version, force)| Op::Detach { version, force }),
        2 => (n(), n(), rarely())
            .prop_map(|(depth, version, force)| Op::Reset { depth, version, force }),
        6 => (n(), n(), proptest::option::weighted(0.3, any::<bool>()), rarely()).prop_map(
            |(doing, version, favour, no_fast_forward)| Op::Bring {
                doing, version, favour, no_fast_forward
            }),
        2 => n().prop_map(Op::Abort),
        1 => (n(), n()).prop_map(|(branch, version)| Op::Rollback { branch, version }),
        1 => (n(), n(), rarely())
            .prop_map(|(name, version, force)| Op::Branch { name, version, force }),
        3 => rarely().prop_map(|force| Op::Undo { force }),
    ]
}
