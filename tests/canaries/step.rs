//! What happens in a history, at random.

use proptest::prelude::*;

use super::content::Content;

/// What is erased.
#[derive(Debug, Clone, Copy)]
pub(crate) enum What {
    /// Everything that was ever at the path of a secret.
    Secret(u8),
    /// The record of a person, by its key or by its text; dropped or redacted.
    Record { person: u8, by_text: bool, redact: bool },
}

/// One step. `at` says in which of the two worktrees; `crash` at which look at the clock the program
/// ends.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    Save {
        at: u8,
        content: Content,
        crash: Option<u8>,
    },
    Stage {
        at: u8,
        content: Content,
    },
    /// An exact copy of a file of the worktree under a name of its own; committed, staged or loose.
    Copy {
        at: u8,
        content: Content,
        how: u8,
    },
    Remove {
        at: u8,
        content: Content,
    },
    CommitAll {
        at: u8,
    },
    Branch {
        at: u8,
        name: u8,
    },
    Switch {
        at: u8,
        name: u8,
    },
    Merge {
        at: u8,
        name: u8,
        theirs: bool,
    },
    Pick {
        at: u8,
        version: u8,
    },
    Reset {
        at: u8,
        version: u8,
        depth: u8,
    },
    Rollback {
        at: u8,
        version: u8,
    },
    Restore {
        at: u8,
        version: u8,
    },
    Undo {
        at: u8,
    },
    Collect {
        crash: Option<u8>,
    },
    Rebuild,
    Archive {
        at: u8,
        version: u8,
    },
    Unarchive {
        at: u8,
        archive: u8,
    },
    Erase {
        at: u8,
        what: What,
        held: bool,
        crash: Option<u8>,
    },
}

fn contents() -> impl Strategy<Value = Content> {
    let n = any::<u8>;
    prop_oneof![
        2 => n().prop_map(Content::Plain),
        3 => (n(), n()).prop_map(|(secret, form)| Content::Secret(secret % 2, form % 3)),
        3 => (any::<bool>(), 0..12_u8).prop_map(|(csv, rows)| Content::Table { csv, rows }),
    ]
}

fn crash() -> impl Strategy<Value = Option<u8>> {
    proptest::option::weighted(0.3, 0..24_u8)
}

fn before() -> impl Strategy<Value = Step> {
    let n = any::<u8>;
    let at = || 0..2_u8;
    prop_oneof![
        9 => (at(), contents(), crash())
            .prop_map(|(at, content, crash)| Step::Save { at, content, crash }),
        2 => (at(), contents()).prop_map(|(at, content)| Step::Stage { at, content }),
        3 => (at(), contents(), n()).prop_map(|(at, content, how)| Step::Copy { at, content, how }),
        1 => (at(), contents()).prop_map(|(at, content)| Step::Remove { at, content }),
        2 => (at(), 0..3_u8).prop_map(|(at, name)| Step::Branch { at, name }),
        2 => (at(), 0..3_u8).prop_map(|(at, name)| Step::Switch { at, name }),
        3 => (at(), 0..3_u8, any::<bool>())
            .prop_map(|(at, name, theirs)| Step::Merge { at, name, theirs }),
        1 => (at(), n(), n()).prop_map(|(at, version, depth)| Step::Reset { at, version, depth }),
        1 => (at(), n()).prop_map(|(at, version)| Step::Rollback { at, version }),
        2 => (at(), n()).prop_map(|(at, version)| Step::Pick { at, version }),
        1 => at().prop_map(|at| Step::Undo { at }),
        1 => crash().prop_map(|crash| Step::Collect { crash }),
        1 => (at(), n()).prop_map(|(at, version)| Step::Archive { at, version }),
    ]
}

fn erase() -> impl Strategy<Value = Step> {
    let what = prop_oneof![
        any::<u8>().prop_map(|secret| What::Secret(secret % 2)),
        (0..3_u8, any::<bool>(), any::<bool>())
            .prop_map(|(person, by_text, redact)| What::Record { person, by_text, redact }),
    ];
    let held = proptest::bool::weighted(0.15);
    (0..2_u8, what, held, crash()).prop_map(|(at, what, held, crash)| Step::Erase {
        at,
        what,
        held,
        crash,
    })
}

/// What could bring something back.
fn after() -> impl Strategy<Value = Step> {
    let n = any::<u8>;
    let at = || 0..2_u8;
    prop_oneof![
        3 => (at(), contents(), crash())
            .prop_map(|(at, content, crash)| Step::Save { at, content, crash }),
        1 => (at(), contents(), n()).prop_map(|(at, content, how)| Step::Copy { at, content, how }),
        1 => at().prop_map(|at| Step::CommitAll { at }),
        1 => (at(), 0..3_u8).prop_map(|(at, name)| Step::Switch { at, name }),
        2 => (at(), 0..3_u8, any::<bool>())
            .prop_map(|(at, name, theirs)| Step::Merge { at, name, theirs }),
        2 => (at(), n()).prop_map(|(at, version)| Step::Pick { at, version }),
        2 => (at(), n(), n()).prop_map(|(at, version, depth)| Step::Reset { at, version, depth }),
        2 => (at(), n()).prop_map(|(at, version)| Step::Rollback { at, version }),
        2 => (at(), n()).prop_map(|(at, version)| Step::Restore { at, version }),
        3 => at().prop_map(|at| Step::Undo { at }),
        3 => crash().prop_map(|crash| Step::Collect { crash }),
        1 => Just(Step::Rebuild),
        2 => (at(), n()).prop_map(|(at, archive)| Step::Unarchive { at, archive }),
    ]
}

/// A history: some steps, an erasure, some more, and perhaps another one.
pub(crate) fn steps() -> impl Strategy<Value = Vec<Step>> {
    let then = prop_oneof![3 => after(), 1 => before(), 1 => erase()];
    (proptest::collection::vec(before(), 2..14), erase(), proptest::collection::vec(then, 0..8))
        .prop_map(|(mut steps, erase, then)| {
            steps.push(erase);
            steps.extend(then);
            steps
        })
}

pub(crate) fn fixed() -> Vec<Vec<Step>> {
    let (secret, other) = (Content::Secret(0, 1), Content::Secret(0, 2));
    let table = Content::Table { csv: false, rows: 1 };
    let save = |content| Step::Save { at: 0, content, crash: None };
    let erase = |what, crash| Step::Erase { at: 0, what, held: false, crash };
    let record = |redact| What::Record { person: 1, by_text: false, redact };
    let mut all = Vec::new();
    // Whatever could bring a file or a record back, tried once each in this order.
    for what in [What::Secret(0), record(false), record(true)] {
        let back = |step| {
            vec![
                save(Content::Plain(1)),
                save(secret),
                save(table),
                Step::Copy { at: 0, content: secret, how: 1 },
                Step::Archive { at: 0, version: 2 },
                Step::Branch { at: 0, name: 0 },
                save(other),
                save(Content::Table { csv: true, rows: 1 }),
                erase(what, None),
                step,
            ]
        };
        for step in [
            Step::Undo { at: 0 },
            Step::Reset { at: 0, version: 2, depth: 2 },
            Step::Reset { at: 0, version: 1, depth: 1 },
            Step::Rollback { at: 0, version: 2 },
            Step::Restore { at: 0, version: 2 },
            Step::CommitAll { at: 0 },
            save(secret),
            save(table),
            Step::Pick { at: 0, version: 1 },
            Step::Pick { at: 1, version: 2 },
            Step::Merge { at: 0, name: 0, theirs: true },
            Step::Unarchive { at: 0, archive: 0 },
            Step::Unarchive { at: 1, archive: 0 },
            Step::Rebuild,
            Step::Collect { crash: None },
        ] {
            all.push(back(step));
        }
    }
    // What is sampled of a chunk stands in another file too: there was nothing to look for, and the
    // certificate did not hold.
    all.push(vec![
        save(Content::Secret(1, 0)),
        save(Content::Secret(0, 0)),
        erase(What::Secret(0), None),
    ]);
    // Redacted first, dropped later: a copy of a copy.
    all.push(vec![
        save(table),
        erase(record(true), None),
        erase(record(false), None),
        Step::Rebuild,
    ]);
    // Stopped at every look at the clock.
    for crash in 0..24 {
        all.push(vec![save(secret), save(table), erase(What::Secret(0), Some(crash))]);
        all.push(vec![save(secret), save(table), erase(record(false), Some(crash))]);
    }
    all
}
