//! Whatever is done, origins and results are each other's inverse, and less asked is less shown.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Map, json};
use stemmata::catalogue::{self, Catalogue, Change};
use stemmata::model::{
    DataRef, Derivation, FixedClock, Provenance, Record, RecordKind, Source, Step, Time, VersionId,
};
use stemmata::ops::audit::{VerifyOptions, verify};
use stemmata::ops::commit::{CommitOptions, commit};
use stemmata::ops::lineage::{NodeId, Question, Relation, around};
use stemmata::ops::merge::{Favour, MergeOptions, merge};
use stemmata::ops::operation::Doing;
use stemmata::repo::{Environment, Error, InitOptions, Repository, Transaction, init};

/// Something that is done; the numbers choose among what there is.
#[derive(Debug, Clone)]
enum Act {
    Commit {
        place: u8,
        inputs: Vec<u8>,
        steps: u8,
        source: u8,
        derived: Option<u8>,
    },
    Combine {
        place: u8,
        other: u8,
        pick: bool,
    },
    Later {
        kind: u8,
        version: u8,
        other: u8,
    },
    Consume {
        name: u8,
        versions: Vec<u8>,
    },
    /// With the program itself; what it refuses is a case as well.
    Tell {
        place: u8,
        verb: u8,
        version: u8,
        other: u8,
    },
}

fn act() -> impl Strategy<Value = Act> {
    let n = any::<u8>;
    let some = || prop::collection::vec(n(), 0..3);
    prop_oneof![
        5 => (n(), some(), 0_u8..3, n(), prop::option::of(n())).prop_map(
            |(place, inputs, steps, source, derived)| {
                Act::Commit { place, inputs, steps, source, derived }
            }
        ),
        2 => (n(), n(), any::<bool>())
            .prop_map(|(place, other, pick)| Act::Combine { place, other, pick }),
        2 => (0_u8..3, n(), n())
            .prop_map(|(kind, version, other)| Act::Later { kind, version, other }),
        2 => (0_u8..3, some()).prop_map(|(name, versions)| Act::Consume { name, versions }),
        4 => (n(), 0_u8..6, n(), n())
            .prop_map(|(place, verb, version, other)| Act::Tell { place, verb, version, other }),
    ]
}

struct World {
    directory: tempfile::TempDir,
    clock: i64,
    versions: Vec<VersionId>,
    files: u32,
}

const PLACES: [&str; 2] = ["raw", "clean"];
const START: i64 = 1_800_000_000;

impl World {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let world = Self { directory, clock: START, versions: Vec::new(), files: 0 };
        for place in PLACES {
            let options = InitOptions {
                store: Some(world.directory.path().join("store")),
                dataset: Some(place.parse().unwrap()),
            };
            init(&world.path(place), &options, world.environment()).unwrap();
        }
        world.program(0, &["key", "generate"]);
        world
    }

    fn path(&self, place: &str) -> PathBuf {
        self.directory.path().join(place)
    }

    fn environment(&self) -> Environment {
        Environment {
            author: Some("Ann Example <ann@example.org>".parse().unwrap()),
            clock: Arc::new(FixedClock(Time::from_unix(self.clock).unwrap())),
            threads: Some(1),
            ..Environment::default()
        }
    }

    fn open(&self, place: u8) -> Repository {
        let place = PLACES[usize::from(place) % PLACES.len()];
        Repository::open_to_write(&self.path(place), self.environment()).unwrap()
    }

    fn pick(&self, number: u8) -> Option<DataRef> {
        let version = *self.versions.get(usize::from(number) % self.versions.len().max(1))?;
        Some(DataRef { dataset: "raw".parse().unwrap(), version, path: None })
    }

    fn origin(&self, inputs: &[u8], steps: u8, source: u8, derived: Option<u8>) -> Provenance {
        let inputs: Vec<DataRef> = inputs.iter().filter_map(|n| self.pick(*n)).collect();
        // Two steps of one name, of which each has inputs of its own.
        let step = |at: usize| Step {
            name: "s".into(),
            inputs: inputs.iter().skip(at).step_by(2).cloned().collect(),
            ..Step::default()
        };
        let from = derived.and_then(|n| self.pick(n));
        Provenance {
            steps: (0..usize::from(steps)).map(step).collect(),
            sources: (0..source % 3)
                .map(|n| Source { uri: format!("u:{n}"), ..Source::default() })
                .collect(),
            derived_from: from
                .map(|from| Derivation { from, how: "by hand".into(), other: Map::new() })
                .into_iter()
                .collect(),
            ..Provenance::default()
        }
    }

    fn act(&mut self, act: &Act) {
        self.clock += 10;
        match act {
            Act::Commit { place, inputs, steps, source, derived } => {
                let provenance = self.origin(inputs, *steps, *source, *derived);
                self.commit(*place, provenance);
            }
            Act::Combine { place, other, pick } => {
                let Some(other) = self.pick(*other) else { return };
                let repository = self.open(*place);
                let options = MergeOptions {
                    revision: other.version.to_hex(),
                    doing: if *pick { Doing::CherryPick } else { Doing::Merge },
                    message: None,
                    // A conflict would be left under way, and refuse the next commit.
                    favour: Some(Favour::Ours),
                    no_fast_forward: false,
                    force: false,
                    dry_run: false,
                };
                // What cannot be combined changes nothing, which is a case as well.
                let done = merge(&repository, &options);
                self.versions.extend(done.ok().and_then(|done| done.version));
                self.versions.sort();
                self.versions.dedup();
            }
            Act::Later { kind, version, other } => {
                let (Some(version), Some(other)) = (self.pick(*version), self.pick(*other)) else {
                    return;
                };
                let (kind, body) = match kind {
                    0 => (RecordKind::Step, json!({"name": "later", "inputs": [other, other]})),
                    1 => (RecordKind::Source, json!({"uri": "u:later"})),
                    _ => (RecordKind::Derivation, json!({"from": other, "how": "inferred"})),
                };
                let mut record = Record::new(kind);
                record.version = Some(version.version);
                record.body = body.as_object().unwrap().clone();
                self.record(vec![record.clone(), record]);
            }
            Act::Consume { name, versions } => {
                let used: Vec<_> = versions
                    .iter()
                    .filter_map(|n| self.pick(*n))
                    .map(|data| json!({"data": data, "role": "train"}))
                    .collect();
                let mut record = Record::new(RecordKind::Consumer);
                record.name = Some(format!("m{name}"));
                record.body = json!({"kind": "model", "used": used}).as_object().unwrap().clone();
                self.record(vec![record]);
            }
            Act::Tell { place, verb, version, other } => {
                let (Some(version), Some(other)) = (self.pick(*version), self.pick(*other)) else {
                    return;
                };
                self.tell(*place, *verb, &version, &other);
            }
        }
    }

    /// Runs a command, tells of a step, ends the life of a version, erases a file.
    fn tell(&mut self, place: u8, verb: u8, version: &DataRef, other: &DataRef) {
        self.files += 1;
        let (version, other, n) = (version.to_string(), other.to_string(), self.files);
        let script = format!("echo {n} >> out; echo {n} > only-{n}");
        let only = format!("only-{n}");
        let words: Vec<Vec<&str>> = match verb {
            0 | 1 => vec![vec![
                "run", "-q", "-i", &other, "-o", "out", "-o", &only, "-m", "ran", "--", "sh", "-c",
                &script,
            ]],
            2 => vec![vec!["step", "add", &version, "--name", "told", "--input", &other]],
            3 => {
                let state = |word| vec!["state", "set", version.as_str(), word, "--reason", "over"];
                vec![state("deprecated"), state("retired")]
            }
            4 => vec![vec!["erase", "plan", "--path", "out", "--reason", "told to", "-o", "plan"]],
            _ => vec![vec!["hold", "place", &version, "--case", "c", "--reason", "asked for"]],
        };
        for words in words {
            self.program(place, &words);
        }
        if verb == 4 {
            self.program(place, &["erase", "run", "plan"]);
            let _ = std::fs::remove_file(self.path(PLACES[usize::from(place) % 2]).join("plan"));
        }
        let known = self.open(place).catalogue.all_version_ids().unwrap();
        self.versions.extend(known);
        self.versions.sort();
        self.versions.dedup();
    }

    fn program(&self, place: u8, words: &[&str]) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stem"));
        command
            .current_dir(self.path(PLACES[usize::from(place) % PLACES.len()]))
            .arg("--json")
            .args(words);
        command.env("HOME", self.directory.path()).env("STEM_AUTHOR", "Ann <ann@example.org>");
        command.env_remove("XDG_CONFIG_HOME").env("SOURCE_DATE_EPOCH", self.clock.to_string());
        let output = command.stdin(Stdio::null()).output().unwrap();
        let code = output.status.code();
        assert!(code.is_some_and(|code| code < 70), "{words:?}: {output:?}");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!said.contains("\"usage\""), "{words:?}: {said}");
    }

    /// The journal, replayed, makes equal tables, row by row; and nobody has changed one by hand.
    fn replays(&self) {
        let repository = self.open(0);
        let report = verify(&repository, &VerifyOptions::default()).unwrap();
        assert!(report.ok && report.tables.count == 0, "{report:?}");
        let again = Catalogue::create(&self.directory.path().join("again.db")).unwrap();
        let entries = repository.catalogue.journal(1, u64::MAX, u64::MAX).unwrap();
        again.replay(&entries, |id| repository.read_version(id)).unwrap();
        assert_eq!(again.dump().unwrap(), repository.catalogue.dump().unwrap());
    }

    fn commit(&mut self, place: u8, provenance: Provenance) {
        let repository = self.open(place);
        self.files += 1;
        let options = CommitOptions {
            message: format!("number {}", self.files),
            allow_empty: true,
            provenance,
            ..CommitOptions::default()
        };
        let done = commit(&repository, &options).unwrap();
        self.versions.extend(done.version);
    }

    fn record(&self, records: Vec<Record>) {
        let changes = records.into_iter().map(|record| Change::Recorded { record }).collect();
        let transaction = Transaction { changes, ..Transaction::default() };
        match self.open(0).change("test", "a test", None, transaction) {
            // What would close a circle is refused, which is a case as well.
            Ok(_) | Err(Error::Catalogue(catalogue::Error::Cycle { .. })) => {}
            Err(error) => panic!("{error}"),
        }
    }
}

type Reach = BTreeMap<NodeId, BTreeSet<NodeId>>;

/// What is reached from each of the nodes in one direction.
fn reach(repository: &Repository, nodes: &BTreeSet<NodeId>, question: &Question) -> Reach {
    let one = |node: &NodeId| {
        let graph = around(repository, std::slice::from_ref(node), question).unwrap();
        let all: BTreeSet<NodeId> = graph.nodes.iter().map(|node| node.id.clone()).collect();
        for edge in &graph.edges {
            assert!(all.contains(&edge.from) && all.contains(&edge.to), "{edge:?} hangs loose");
        }
        (node.clone(), all)
    };
    nodes.iter().map(one).collect()
}

fn transposed(reach: &Reach) -> Reach {
    let mut turned: Reach = reach.keys().map(|node| (node.clone(), BTreeSet::new())).collect();
    for (node, others) in reach {
        for other in others {
            turned.entry(other.clone()).or_default().insert(node.clone());
        }
    }
    turned
}

fn is_within(small: &Reach, large: &Reach) -> bool {
    small.iter().all(|(node, reached)| reached.is_subset(&large[node]))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10, max_shrink_iters: 40, ..ProptestConfig::default() })]

    #[test]
    fn origins_and_results_are_each_others_inverse(
        acts in prop::collection::vec(act(), 3..24),
    ) {
        let mut world = World::new();
        for act in &acts {
            world.act(act);
        }
        world.replays();
        let repository = world.open(0);
        let starts: Vec<NodeId> = world.versions.iter().copied().map(NodeId::Version).collect();
        let all = around(&repository, &starts, &Question::default()).unwrap();
        // A consumer that has used nothing is a node of its own and reached from nowhere.
        let nodes: BTreeSet<NodeId> = all.nodes.iter().map(|node| node.id.clone()).collect();
        let steps = all.edges.iter().filter(|edge| edge.relation == Relation::Used).count();
        let up = Question { up: true, ..Question::default() };
        let down = Question { down: true, ..Question::default() };
        let above = reach(&repository, &nodes, &up);
        prop_assert_eq!(&transposed(&above), &reach(&repository, &nodes, &down), "{} uses", steps);

        let mut nearer: Option<Reach> = None;
        for depth in [0, 1, 2, 9] {
            let some = reach(&repository, &nodes, &Question { depth: Some(depth), ..up.clone() });
            let turned =
                reach(&repository, &nodes, &Question { depth: Some(depth), ..down.clone() });
            prop_assert_eq!(&transposed(&some), &turned, "depth {}", depth);
            prop_assert!(is_within(&some, &above), "depth {}", depth);
            if let Some(nearer) = &nearer {
                prop_assert!(is_within(nearer, &some), "depth {}", depth);
            }
            nearer = Some(some);
        }

        let mut earlier: Option<Reach> = None;
        for moment in [START - 1, START + 40, START + 100, world.clock] {
            let as_of = Some(Time::from_unix(moment).unwrap());
            let then = reach(&repository, &nodes, &Question { as_of, ..up.clone() });
            let turned = reach(&repository, &nodes, &Question { as_of, ..down.clone() });
            prop_assert_eq!(&transposed(&then), &turned, "as of {}", moment);
            if let Some(earlier) = &earlier {
                prop_assert!(is_within(earlier, &then), "as of {}", moment);
            }
            earlier = Some(then);
        }
        prop_assert_eq!(earlier, Some(above));
    }
}

/// What is gone stays in the graph and says so, from the moment on when it was recorded.
#[test]
fn a_version_that_is_gone_stays_a_node() {
    let mut world = World::new();
    for source in [1, 0] {
        let (inputs, derived) = (vec![0], None);
        world.act(&Act::Commit { place: 0, inputs, steps: 1, source, derived });
    }
    let gone = world.versions[0];
    let before = Time::from_unix(world.clock).unwrap();
    world.clock += 10;
    let state = |name: &str| {
        let mut record = Record::new(RecordKind::State);
        record.version = Some(gone);
        record.dataset = Some("raw".parse().unwrap());
        record.name = Some(name.into());
        record
    };
    world.record(vec![state("retired"), state("archived")]);
    let repository = world.open(0);
    let last = [NodeId::Version(world.versions[1])];
    let presence = |as_of| {
        let graph = around(&repository, &last, &Question { as_of, ..Question::default() }).unwrap();
        graph.node(&NodeId::Version(gone)).unwrap().presence.clone().unwrap()
    };
    assert_eq!(presence(None), "archived");
    assert_eq!(presence(Some(before)), "present");
}
