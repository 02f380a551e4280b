//! Random histories: branches, merges, several datasets, shared chunks, gc; then an erasure.
//!
//! `STEM_HISTORIES` says how many; a few by default.

use std::collections::BTreeMap;

use super::place::{Place, with_history};

/// A generator that gives the same numbers for the same seed (xorshift64*).
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % limit
    }
}

/// A script that makes a file: common lines, and with them the canaries of one secret.
fn content(dice: &mut Dice, secret: Option<u64>) -> String {
    let (from, to) = (dice.below(3) * 1000 + 1, 4000 + dice.below(4) * 1500);
    let plain = format!("seq {from} {to}");
    match secret {
        None => plain,
        Some(secret) => {
            let lines = 1 + dice.below(400);
            format!(
                "{plain}; python3 -c \"for n in range({lines}): print('canary-{secret}-%d-%x' % (n, \
                 (n + 7) ** 9 * 1000003 % 2 ** 127))\""
            )
        }
    }
}

fn worktree(dice: &mut Dice) -> &'static str {
    if dice.below(4) == 0 { "../other" } else { "." }
}

/// One step of a history. Those that cannot be done end with an error, and change nothing.
fn step(dice: &mut Dice, number: u64) -> String {
    let at = worktree(dice);
    let what = match dice.below(9) {
        0..=2 => {
            let secret = (dice.below(2) == 0).then(|| dice.below(2));
            let name = match secret {
                Some(secret) => format!("secret{secret}.txt"),
                None => format!("plain{}.txt", dice.below(3)),
            };
            format!(
                "({}) > {name}; stem add -q -A; stem commit -q -m {number}",
                content(dice, secret)
            )
        }
        3 => format!("stem branch -q b{number}"),
        4 => format!("stem switch -q b{} || stem switch -q main", dice.below(number + 1)),
        5 => format!("stem merge -q b{} -m merged --theirs", dice.below(number + 1)),
        6 => "stem gc -q -y --grace 0s".to_owned(),
        7 => format!("({}) > staged.txt; stem add -q -A", content(dice, Some(0))),
        _ => format!("stem rm -q secret{}.txt; stem commit -q -m gone-{number}", dice.below(2)),
    };
    format!("(cd {at} && {{ {what}; }}) > /dev/null 2>&1; true")
}

/// Every path of every version that is not among the doomed ones, with a checksum.
fn retained(place: &Place, doomed: &[String]) -> BTreeMap<String, String> {
    let listing = "for v in $(stem log --all --json | grep -o '\"version\":\"[0-9a-f]*\"' | cut -d'\"' -f4 \
         | sort -u); do stem ls $v -r --json | grep -o '\"path\":\"[^\"]*\",\"kind\":\"[^\"]*\",\"size\":[0-9]*,\
         \"file\":\"[0-9a-f]*\"' | sed \"s/^/$v /\"; done";
    let mut found = BTreeMap::new();
    for line in place.must(&format!("({listing}); cd ../other && ({listing})")).lines() {
        let (version, entry) = line.split_once(' ').expect("a version and an entry");
        let words: Vec<&str> = entry.split('"').collect();
        let (path, file) = (words[3], words[words.len() - 2]);
        if !doomed.iter().any(|id| id == file) {
            let sum = place.must(&format!("stem cat {version}:{path} | cksum"));
            found.insert(format!("{version}:{path}"), sum);
        }
    }
    found
}

/// Whether there was anything to erase.
fn history(seed: u64) -> bool {
    let mut dice = Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
    let place = Place::new();
    place.must(
        "stem init -q && stem key generate > /dev/null && mkdir ../other && cd .. \
         && stem -C other init -q --store ../data/.stem/store --dataset second",
    );
    place.must("echo one > plain0.txt && stem add -q -A && stem commit -q -m first");
    let mut told = Vec::new();
    for number in 0..14 {
        let script = step(&mut dice, number);
        place.must(&script);
        told.push(script);
    }
    let plan =
        place.run("stem erase plan --path 'secret*.txt' --path staged.txt --reason x --json");
    if plan.status.code() == Some(10) {
        return false;
    }
    let told = told.join("\n");
    let said = String::from_utf8_lossy(&plan.stderr).into_owned();
    assert!(plan.status.success(), "seed {seed}: {said}\n{told}");
    let plan: serde_json::Value = serde_json::from_slice(&plan.stdout).expect("JSON");
    let targets = plan["data"]["targets"].as_array().expect("targets");
    let doomed: Vec<String> =
        targets.iter().map(|one| one["file"].as_str().expect("an id").to_owned()).collect();
    let before = retained(&place, &doomed);
    let id = plan["data"]["plan"].as_str().expect("an id");
    let run = place.run(&format!("stem erase run {id}"));
    let said = String::from_utf8_lossy(&run.stderr).into_owned();
    assert!(run.status.success(), "seed {seed}: {said}\n{told}");
    for needle in [&b"canary-0-0-"[..], b"canary-1-0-", b"canary-0-17-", b"canary-1-17-"] {
        assert_eq!(place.places(needle), Vec::<String>::new(), "seed {seed}\n{told}");
    }
    assert_eq!(retained(&place, &doomed), before, "seed {seed}\n{told}");
    place.must(&format!("stem fsck --read-data && stem erase verify {id}"));
    place.must("stem gc -q -y --grace 0s && stem fsck --read-data && cd ../other && stem fsck");
    true
}

#[test]
fn whatever_happened_before_it_is_gone_and_the_rest_is_there() {
    let number = std::env::var("STEM_HISTORIES").ok().and_then(|text| text.parse().ok());
    let number = number.unwrap_or(12);
    let erased = (1..=number).filter(|seed| history(*seed)).count() as u64;
    assert!(erased * 2 > number, "only {erased} of {number} had anything to erase");
}

/// What the lineage graph says of a version: its presence, and how many of its files are gone.
fn said_of(place: &Place, version: &str, more: &str) -> (String, Option<u64>) {
    let id = place.must(&format!("stem show {version} --json"));
    let id: serde_json::Value = serde_json::from_str(&id).unwrap();
    let json = place.must(&format!("stem lineage {version} {more} --json"));
    let graph: serde_json::Value = serde_json::from_str(&json).unwrap();
    let nodes = graph["data"]["nodes"].as_array().unwrap();
    let node = nodes.iter().find(|node| node["id"] == id["data"]["version"]).unwrap();
    (node["presence"].as_str().unwrap().to_owned(), node["absent_files"].as_u64())
}

#[test]
fn the_lineage_graph_says_which_versions_lack_files() {
    let place = with_history();
    let later = "export SOURCE_DATE_EPOCH=1767333045";
    let erase = |arguments: &str| {
        let json = place.must(&format!("{later}; stem erase plan {arguments} --reason x --json"));
        let plan: serde_json::Value = serde_json::from_str(&json).unwrap();
        place.must(&format!("{later}; stem erase run {}", plan["data"]["plan"].as_str().unwrap()));
    };
    assert_eq!(said_of(&place, "v1", ""), ("present".into(), None));
    erase("--path secret.txt");
    for (version, expected) in [("v1", Some(1)), ("HEAD~1", Some(1)), ("HEAD", None)] {
        let word = if expected.is_some() { "partly erased" } else { "present" };
        assert_eq!(said_of(&place, version, ""), (word.into(), expected), "{version}");
    }
    let before = said_of(&place, "v1", "--as-of 2026-01-02T04:00:00Z");
    assert_eq!(before, ("present".into(), None));
    let text = place.must("stem lineage v1");
    assert!(text.contains("[partly erased: 1 file]"), "{text}");
    let events = place.must("stem lineage v1 --format openlineage");
    assert!(!events.contains("DROP"), "a part of it is there: {events}");
    erase("--path keep.txt");
    erase("--path small.txt --yes-all data");
    assert_eq!(said_of(&place, "v1", ""), ("erased".into(), Some(3)));
    assert_eq!(said_of(&place, "HEAD", ""), ("erased".into(), Some(2)));
    let events = place.must("stem lineage v1 --format openlineage");
    assert!(events.contains("DROP"), "nothing of it is there: {events}");
}
