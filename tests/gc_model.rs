//! Every interleaving of writers and collectors over the root record, in a model.
//!
//! The protocol is RELIABILITY.md, section 2, as the catalogue keeps it: *mark* and condemn with a
//! new epoch, *fence*, *mark again*, spare or bury, delete. One chunk is enough: it lies in one old
//! pack that nothing needs when the model begins, and every writer wants it. A writer relies on any
//! file that the root record it has read does not name as condemned or dead; the catalogue's list
//! of live packs allows less. A process that stops for ever is a process that is not chosen any
//! more, so crashes need no action of their own; that another collector takes over does.
//!
//! The six flaws of that section must lose data here, or the model would prove nothing; a seventh
//! shows why a tombstone names the condemnation it belongs to.

use stateright::{Checker, Model, Property, Representative};

/// What is left out of the protocol. Each loses data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flaw {
    NoFence,
    NoSecondMark,
    DedupOnCondemned,
    CommitWithoutLookingAgain,
    NamesByContent,
    TombstonesExpire,
    BuryWhatAnotherCondemned,
}

#[derive(Debug, Clone)]
struct Protocol {
    writers: usize,
    collectors: usize,
    /// How many sessions a writer may begin, and rounds a collector.
    sessions: u8,
    rounds: u8,
    flaw: Option<Flaw>,
}

/// A set of packs, one bit each.
type Packs = u16;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct State {
    epoch: u8,
    min_epoch: u8,
    /// How many names have been used.
    names: u8,
    /// Files on the disk.
    files: Packs,
    /// The epoch of each condemnation, 0 for none.
    condemned: Vec<u8>,
    tombstones: Packs,
    writers: Vec<Writer>,
    collectors: Vec<Collector>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Writer {
    sessions: u8,
    at: Writing,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Writing {
    Idle,
    /// Has read the root record.
    Begun {
        epoch: u8,
        avoid: Packs,
    },
    /// Has found the chunk in a pack, or written a pack.
    Ready {
        epoch: u8,
    },
    /// Its version is named by a branch.
    Committed,
    /// The branch is gone again.
    Removed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Collector {
    rounds: u8,
    at: Collecting,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Collecting {
    Idle,
    /// These packs were unreachable.
    Marked {
        packs: Packs,
        epoch: u8,
    },
    Condemned {
        packs: Packs,
        epoch: u8,
    },
    Fenced {
        packs: Packs,
        epoch: u8,
    },
    /// Has marked again.
    Decided {
        packs: Packs,
        epoch: u8,
        needed: bool,
    },
    /// May delete these whenever it likes, and as often.
    Deleting {
        packs: Packs,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Action {
    Begin(usize),
    Rely(usize),
    Upload(usize),
    Commit(usize),
    Restart(usize),
    Remove(usize),
    Mark(usize),
    TakeOver(usize, u8),
    Condemn(usize),
    Fence(usize),
    MarkAgain(usize),
    Publish(usize),
    Delete(usize, u8),
    Finish(usize),
    Expire(u8),
}

impl State {
    /// Whether a branch names a version with the chunk.
    fn is_needed(&self) -> bool {
        self.writers.iter().any(|writer| writer.at == Writing::Committed)
    }

    fn condemned_set(&self) -> Packs {
        bits(&self.condemned, |epoch| epoch > 0)
    }

    fn condemned_in(&self, epoch: u8) -> Packs {
        bits(&self.condemned, |found| found == epoch)
    }

    fn upload(&mut self, flaw: Option<Flaw>) {
        let name = if flaw == Some(Flaw::NamesByContent) { 0 } else { self.names };
        self.files |= 1 << name;
        self.tombstones &= !(1 << name);
        if usize::from(name) == self.condemned.len() {
            self.condemned.push(0);
            self.names += 1;
        }
        self.condemned[usize::from(name)] = 0;
    }
}

fn bits(epochs: &[u8], test: impl Fn(u8) -> bool) -> Packs {
    let chosen = epochs.iter().enumerate().filter(|(_, epoch)| test(**epoch));
    chosen.fold(0, |set, (pack, _)| set | 1 << pack)
}

fn members(packs: Packs) -> impl Iterator<Item = u8> {
    (0..16_u8).filter(move |pack| packs & (1 << pack) != 0)
}

impl Protocol {
    fn has(&self, flaw: Flaw) -> bool {
        self.flaw == Some(flaw)
    }

    fn writer_actions(&self, state: &State, w: usize, actions: &mut Vec<Action>) {
        let writer = &state.writers[w];
        match writer.at {
            Writing::Idle if writer.sessions > 0 => actions.push(Action::Begin(w)),
            Writing::Begun { avoid, .. } => {
                let found = state.files & !avoid != 0;
                actions.push(if found { Action::Rely(w) } else { Action::Upload(w) });
            }
            Writing::Ready { epoch } if epoch >= state.min_epoch => {
                actions.push(Action::Commit(w));
            }
            Writing::Ready { .. } => actions.push(Action::Restart(w)),
            Writing::Committed => actions.push(Action::Remove(w)),
            Writing::Idle | Writing::Removed => {}
        }
    }

    fn collector_actions(&self, state: &State, c: usize, actions: &mut Vec<Action>) {
        let collector = &state.collectors[c];
        match collector.at {
            Collecting::Idle if collector.rounds > 0 => {
                let unmarked = state.files & !state.condemned_set() & !state.tombstones;
                if !state.is_needed() && unmarked != 0 {
                    actions.push(Action::Mark(c));
                }
                let mut epochs: Vec<u8> =
                    state.condemned.iter().copied().filter(|epoch| *epoch > 0).collect();
                epochs.sort_unstable();
                epochs.dedup();
                actions.extend(epochs.into_iter().map(|epoch| Action::TakeOver(c, epoch)));
            }
            Collecting::Idle => {}
            Collecting::Marked { .. } => actions.push(Action::Condemn(c)),
            Collecting::Condemned { .. } => actions.push(Action::Fence(c)),
            Collecting::Fenced { .. } => actions.push(Action::MarkAgain(c)),
            Collecting::Decided { .. } => actions.push(Action::Publish(c)),
            Collecting::Deleting { packs } => {
                let present = members(packs & state.files);
                actions.extend(present.map(|pack| Action::Delete(c, pack)));
                actions.push(Action::Finish(c));
            }
        }
    }

    fn write(&self, state: &mut State, w: usize, action: Action) {
        let writer = state.writers[w];
        let at = match (action, writer.at) {
            (Action::Begin(_), _) => {
                let condemned =
                    if self.has(Flaw::DedupOnCondemned) { 0 } else { state.condemned_set() };
                Writing::Begun { epoch: state.epoch, avoid: condemned | state.tombstones }
            }
            (Action::Rely(_), Writing::Begun { epoch, .. }) => Writing::Ready { epoch },
            (Action::Upload(_), Writing::Begun { epoch, .. }) => {
                state.upload(self.flaw);
                Writing::Ready { epoch }
            }
            (Action::Restart(_), _) if self.has(Flaw::CommitWithoutLookingAgain) => {
                Writing::Ready { epoch: state.epoch }
            }
            (Action::Restart(_), _) => Writing::Idle,
            (Action::Commit(_), _) => Writing::Committed,
            (_, _) => Writing::Removed,
        };
        let begun = u8::from(matches!(action, Action::Begin(_)));
        state.writers[w] = Writer { sessions: writer.sessions - begun, at };
    }

    fn collect(&self, state: &mut State, c: usize, action: Action) {
        let collector = state.collectors[c];
        let mut rounds = collector.rounds;
        let at = match (action, collector.at) {
            (Action::Mark(_), _) => {
                let packs = state.files & !state.condemned_set() & !state.tombstones;
                rounds -= 1;
                Collecting::Marked { packs, epoch: state.epoch }
            }
            (Action::TakeOver(_, epoch), _) => {
                rounds -= 1;
                Collecting::Condemned { packs: state.condemned_in(epoch), epoch }
            }
            (Action::Condemn(_), Collecting::Marked { packs, epoch }) => {
                condemn(state, packs, epoch)
            }
            (Action::Fence(_), Collecting::Condemned { packs, epoch }) => {
                if !self.has(Flaw::NoFence) {
                    state.min_epoch = state.min_epoch.max(epoch);
                }
                Collecting::Fenced { packs, epoch }
            }
            (Action::MarkAgain(_), Collecting::Fenced { packs, epoch }) => {
                let needed = state.is_needed() && !self.has(Flaw::NoSecondMark);
                Collecting::Decided { packs, epoch, needed }
            }
            (Action::Publish(_), Collecting::Decided { packs, epoch, needed }) => {
                self.publish(state, packs, epoch, needed)
            }
            (Action::Delete(_, pack), at) => {
                state.files &= !(1 << pack);
                at
            }
            (_, _) => Collecting::Idle,
        };
        state.collectors[c] = Collector { rounds, at };
    }

    /// Spares or buries those that are still condemned as this collector saw them.
    fn publish(&self, state: &mut State, packs: Packs, epoch: u8, needed: bool) -> Collecting {
        let any = self.has(Flaw::BuryWhatAnotherCondemned);
        let fenced = |found: u8| found > 0 && (any || found == epoch);
        let packs = packs & bits(&state.condemned, fenced);
        for pack in members(packs) {
            state.condemned[usize::from(pack)] = 0;
        }
        if needed {
            return Collecting::Idle;
        }
        state.tombstones |= packs;
        Collecting::Deleting { packs }
    }
}

/// One compare-and-swap on the epoch; whoever loses it marks again.
fn condemn(state: &mut State, packs: Packs, epoch: u8) -> Collecting {
    let packs = packs & !state.condemned_set() & !state.tombstones;
    if state.epoch != epoch || packs == 0 {
        return Collecting::Idle;
    }
    state.epoch += 1;
    for pack in members(packs) {
        state.condemned[usize::from(pack)] = state.epoch;
    }
    Collecting::Condemned { packs, epoch: state.epoch }
}

impl Model for Protocol {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![State {
            epoch: 0,
            min_epoch: 0,
            names: 1,
            files: 1,
            condemned: vec![0],
            tombstones: 0,
            writers: vec![Writer { sessions: self.sessions, at: Writing::Idle }; self.writers],
            collectors: vec![
                Collector { rounds: self.rounds, at: Collecting::Idle };
                self.collectors
            ],
        }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        for w in 0..self.writers {
            self.writer_actions(state, w, actions);
        }
        for c in 0..self.collectors {
            self.collector_actions(state, c, actions);
        }
        if self.has(Flaw::TombstonesExpire) {
            actions.extend(members(state.tombstones).map(Action::Expire));
        }
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut state = last.clone();
        match action {
            Action::Begin(w)
            | Action::Rely(w)
            | Action::Upload(w)
            | Action::Commit(w)
            | Action::Restart(w)
            | Action::Remove(w) => self.write(&mut state, w, action),
            Action::Mark(c)
            | Action::TakeOver(c, _)
            | Action::Condemn(c)
            | Action::Fence(c)
            | Action::MarkAgain(c)
            | Action::Publish(c)
            | Action::Delete(c, _)
            | Action::Finish(c) => self.collect(&mut state, c, action),
            Action::Expire(pack) => state.tombstones &= !(1 << pack),
        }
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("what a branch names can be read", |_, state: &State| {
                !state.is_needed() || state.files != 0
            }),
            Property::always(
                "what a branch names is not buried",
                |protocol: &Self, state: &State| {
                    protocol.flaw.is_some()
                        || !state.is_needed()
                        || state.files & !state.tombstones != 0
                },
            ),
            Property::sometimes("garbage is deleted", |_, state: &State| state.files & 1 == 0),
            Property::sometimes("a writer commits after a fence", |_, state: &State| {
                let again =
                    |writer: &Writer| writer.sessions == 0 && writer.at == Writing::Committed;
                state.min_epoch > 0 && state.writers.iter().any(again)
            }),
            Property::sometimes("a condemned pack is spared", |_, state: &State| {
                state.min_epoch > 0
                    && state.files & !state.condemned_set() & !state.tombstones & 1 != 0
            }),
        ]
    }
}

fn protocol(writers: usize, collectors: usize, flaw: Option<Flaw>) -> Protocol {
    Protocol { writers, collectors, sessions: 1, rounds: 1, flaw }
}

/// Writers are alike and so are collectors: states that differ only in who is who are one.
impl Representative for State {
    fn representative(&self) -> Self {
        let mut state = self.clone();
        state.writers.sort_unstable();
        state.collectors.sort_unstable();
        state
    }
}

fn explore(protocol: Protocol) -> impl Checker<Protocol> {
    protocol.checker().threads(2).symmetry().spawn_dfs().join()
}

#[expect(clippy::print_stdout, reason = "the size of the model is what a test report is for")]
fn assert_safe(protocol: Protocol) {
    let begun = std::time::Instant::now();
    let checker = explore(protocol.clone());
    println!("{protocol:?}: {} states in {:?}", checker.unique_state_count(), begun.elapsed());
    checker.assert_properties();
}

/// Whether a version is named whose chunk is in no file any more.
fn loses_data(writers: usize, collectors: usize, flaw: Flaw) -> bool {
    let checker = explore(protocol(writers, collectors, Some(flaw)));
    checker.discovery("what a branch names can be read").is_some()
}

#[test]
fn three_writers_and_three_collectors_lose_nothing() {
    assert_safe(protocol(3, 3, None));
}

#[test]
fn writers_who_begin_again_lose_nothing() {
    assert_safe(Protocol { sessions: 2, ..protocol(2, 2, None) });
}

/// Most of a minute, so only when asked: `STEM_GC_MODEL=large cargo test --test gc_model`.
#[test]
fn more_sessions_and_rounds_lose_nothing() {
    if std::env::var_os("STEM_GC_MODEL").is_some_and(|size| size == "large") {
        assert_safe(Protocol { sessions: 2, rounds: 2, ..protocol(2, 2, None) });
        assert_safe(Protocol { sessions: 2, ..protocol(3, 3, None) });
    }
}

#[test]
fn without_a_fence_data_is_lost() {
    assert!(loses_data(1, 1, Flaw::NoFence));
}

#[test]
fn without_a_second_mark_data_is_lost() {
    assert!(loses_data(1, 1, Flaw::NoSecondMark));
}

#[test]
fn with_dedup_on_condemned_packs_data_is_lost() {
    assert!(loses_data(1, 1, Flaw::DedupOnCondemned));
}

#[test]
fn when_a_fenced_writer_commits_without_looking_again_data_is_lost() {
    assert!(loses_data(1, 1, Flaw::CommitWithoutLookingAgain));
}

#[test]
fn with_pack_names_by_content_data_is_lost() {
    assert!(loses_data(1, 1, Flaw::NamesByContent));
}

#[test]
fn with_tombstones_that_expire_data_is_lost() {
    assert!(loses_data(1, 1, Flaw::TombstonesExpire));
}

/// Why `Change::PacksTombstoned` names the epoch of the condemnation: a slow collector would bury
/// a pack that was spared meanwhile, relied on, and condemned by somebody else.
#[test]
fn when_a_collector_buries_what_another_condemned_data_is_lost() {
    assert!(loses_data(2, 3, Flaw::BuryWhatAnotherCondemned));
}
