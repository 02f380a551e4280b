//! PROV-JSON, OpenLineage and Croissant, read by the programs that others wrote for them.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

#[expect(clippy::print_stderr, reason = "whoever reads the tests' output must know")]
fn skipped(why: &str) {
    eprintln!("skipped: {why}");
}

/// The programs of `tests/validators.txt`; none where they are not installed.
pub(super) fn validators() -> Option<PathBuf> {
    let place = std::env::var_os("STEM_VENV").map(PathBuf::from);
    let place = place.filter(|place| place.join("bin/python").exists());
    if place.is_none() {
        assert!(
            std::env::var_os("STEM_NEED_VALIDATORS").is_none(),
            "STEM_VENV names no validators"
        );
        skipped("STEM_VENV names no validators; tests/run installs them");
    }
    place
}

/// The schemas of OpenLineage, which are not copied here.
pub(super) fn schemas() -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let named = std::env::var_os("STEM_OPENLINEAGE_SCHEMAS").map(PathBuf::from);
    let place = named.unwrap_or_else(|| root.join("../shared/schemas/openlineage"));
    if place.join("OpenLineage.json").exists() {
        return Some(place);
    }
    skipped(&format!("{} is not there; STEM_OPENLINEAGE_SCHEMAS names it", place.display()));
    None
}

pub(super) struct Story {
    pub(super) directory: tempfile::TempDir,
}

const STORY: &str = r#"
set -e
stem init -q raw --store store --dataset raw
stem init -q clean --store store --dataset clean
cd raw
seq 200 | sed 's/.*/{"id":&,"text":"t&","score":0.5}/' > t.jsonl
printf 'mixed "quotes", <tags> & \\ backslash' > 'odd name é.txt'
stem add -q -A
stem commit -q -m 'Received "as is" & <raw>' --source 'uri=https://example.org/a%20b.gz,provider=Example Ltd,licence=CC-BY-4.0,method=export,legal_basis=contract,retrieved=2026-01-01,collected=2025-12-01' --source 'uri=s3://bucket/x,revision=7'
stem tag received
stem note add HEAD --kind problem 'Line 7 is "empty"' > /dev/null
cd ../clean
mkdir train test
for n in 1 2 3; do (echo id,text,ok; seq 10 | sed 's/.*/&,"t, &",true/') > train/$n.csv; done
printf 'id\tx\n1\t2.5\n' > test/t.tsv
head -20 ../raw/t.jsonl > sample.jsonl
stem add -q -A
stem commit -q -m Cleaned --step 'name=dedupe,command="python3 dedupe.py --threshold 0.8",input=raw@main,output=train,decided=automatic,started=2026-01-02T00:00:00Z,ended=2026-01-02T00:10:00Z,operator=Ann Example <ann@example.org>' --step 'name=split,input=raw@received' --metric 'records=30' --metric 'duplicates=0.4%,slice=en,threshold=1' --licence 'CC-BY-4.0' --language en --modality text --dataset-kind instruction --purpose 'Tuning of "the" assistant' --sensitivity personal --meta 'data_biases=Only English'
stem step add HEAD --name 'late review' --input raw@main --decided human > /dev/null
stem tag v1
stem consumer add helper-7b --kind model --used clean@v1=train --uri https://example.org/models/helper > /dev/null
stem consumer add 'quality check' --kind evaluation --used raw@main > /dev/null
printf 'steps:\n- name: fix\n  command: [python3, fix.py]\n  code: {remote: "git@example.org:team/code.git", commit: 4b825dc642cb6eb9a060e54bf8d69288fbee4904, branch: main}\n  exit_code: 0\n' > ../fix.yaml
cp sample.jsonl more.jsonl; stem add -q -A; stem commit -q -m 'One more' --meta-file ../fix.yaml
stem export v1 ../out > /dev/null
"#;

impl Story {
    fn new() -> Self {
        let story = Self { directory: tempfile::tempdir().unwrap() };
        let told = story.run(STORY);
        assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
        story
    }

    pub(super) fn run(&self, commands: &str) -> Output {
        let program = Path::new(env!("CARGO_BIN_EXE_stem")).parent().unwrap();
        let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap_or_default());
        let mut command = Command::new("bash");
        command.args(["-c", commands]).current_dir(self.directory.path()).env("PATH", path);
        command.env("STEM_AUTHOR", "Ann Example <ann@example.org>");
        command.env("SOURCE_DATE_EPOCH", "1767323045").env("HOME", self.directory.path());
        command.output().unwrap()
    }

    /// Makes a document in `out`.
    fn make(&self, words: &str, file: &str) {
        let told = self.run(&format!("cd clean && stem {words} -o ../out/{file}"));
        assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
    }

    pub(super) fn file(&self, file: &str) -> PathBuf {
        self.directory.path().join("out").join(file)
    }

    /// What the validator says of a document; an error is what it complains about.
    pub(super) fn validate(
        &self,
        venv: &Path,
        kind: &str,
        file: &str,
        more: &[&Path],
    ) -> Result<Value, String> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lineage/validate.py");
        let told = Command::new(venv.join("bin/python"))
            .arg(script)
            .arg(kind)
            .arg(self.file(file))
            .args(more)
            .env("HOME", self.directory.path())
            .output()
            .unwrap();
        if !told.status.success() {
            return Err(String::from_utf8_lossy(&told.stderr).into_owned());
        }
        let said = String::from_utf8_lossy(&told.stdout);
        Ok(serde_json::from_str(said.lines().last().unwrap_or_default()).unwrap())
    }

    /// Copies a document with something put in the place of something else.
    fn spoil(&self, file: &str, what: &str, by: &str) -> &'static str {
        let text = std::fs::read_to_string(self.file(file)).unwrap();
        assert!(text.contains(what), "{file} has no {what}");
        #[expect(clippy::disallowed_methods, reason = "a spoilt copy")]
        std::fs::write(self.file("spoilt.json"), text.replace(what, by)).unwrap();
        "spoilt.json"
    }
}

#[test]
fn prov_reads_the_graph() {
    let Some(venv) = validators() else { return };
    let story = Story::new();
    story.make("lineage v1 --format prov", "prov.json");
    let count = story.validate(&venv, "prov", "prov.json", &[]).unwrap();
    assert_eq!(count["ProvActivity"], 3, "{count}");
    // Two sources, raw, clean, the version after it, and the model.
    assert_eq!(count["ProvEntity"], 6, "{count}");
    assert_eq!(count["ProvUsage"], 3, "{count}");
    assert_eq!(count["ProvGeneration"], 3, "{count}");
    assert_eq!(count["ProvDerivation"], 4, "{count}");
    let spoilt = story.spoil("prov.json", "\"stem\": \"urn:stemmata:\"", "\"x\": \"urn:x:\"");
    assert!(story.validate(&venv, "prov", spoilt, &[]).is_err());
}

#[test]
fn openlineages_schemas_hold_for_every_event() {
    let (Some(venv), Some(schemas)) = (validators(), schemas()) else { return };
    let story = Story::new();
    story.make("lineage HEAD --format openlineage", "events.jsonl");
    let found = story.validate(&venv, "openlineage", "events.jsonl", &[&schemas]).unwrap();
    let facets: Vec<&str> =
        found["facets"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    for facet in [
        "version 1-0-1",
        "schema 1-2-0",
        "dataSource 1-0-1",
        "dataQualityMetrics 1-0-3",
        "outputStatistics 1-0-2",
        "lifecycleStateChange 1-0-1",
        "ownership 1-0-1",
        "tags 1-0-0",
        "sourceCodeLocation 1-1-0",
    ] {
        assert!(facets.contains(&facet), "{facet} is not in {facets:?}");
    }
    let events: Vec<&str> =
        found["events"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert_eq!(events.iter().filter(|kind| **kind == "START").count(), 4, "{events:?}");
    assert_eq!(events.iter().filter(|kind| **kind == "COMPLETE").count(), 4, "{events:?}");
    assert!(events.contains(&"DatasetEvent") && events.contains(&"JobEvent"), "{events:?}");
    let spoilt = story.spoil("events.jsonl", "\"CREATE\"", "\"BORN\"");
    assert!(story.validate(&venv, "openlineage", spoilt, &[&schemas]).is_err());
}

#[test]
fn the_same_step_has_the_same_run_id() {
    let story = Story::new();
    story.make("lineage HEAD --format openlineage", "one.jsonl");
    story.make("lineage v1 --up --format openlineage", "two.jsonl");
    let ids = |file: &str| -> std::collections::BTreeSet<String> {
        let text = std::fs::read_to_string(story.file(file)).unwrap();
        let events = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        events.filter_map(|event| Some(event["run"]["runId"].as_str()?.to_owned())).collect()
    };
    assert_eq!((ids("one.jsonl").len(), ids("two.jsonl").len()), (4, 3));
    assert!(ids("two.jsonl").is_subset(&ids("one.jsonl")));
}

#[test]
fn mlcroissant_validates_and_loads_the_card() {
    let Some(venv) = validators() else { return };
    let story = Story::new();
    story.make("card v1 --format croissant", "croissant.json");
    let found = story.validate(&venv, "croissant", "croissant.json", &[]).unwrap();
    let rows = serde_json::json!({"sample.jsonl": 20, "test/t.tsv": 1, "train/*.csv": 30});
    assert_eq!(found["rows"], rows);
    assert_eq!(found["files"], 6);
    for words in [
        vec!["validate", "--jsonld"],
        vec!["load", "--record_set", "records-1", "--num_records", "3", "--jsonld"],
    ] {
        let mut command = Command::new(venv.join("bin/mlcroissant"));
        let told = command.args(&words).arg(story.file("croissant.json"));
        let told = told.env("HOME", story.directory.path()).output().unwrap();
        assert!(told.status.success(), "{words:?}: {}", String::from_utf8_lossy(&told.stderr));
    }
    let spoilt = story.spoil("croissant.json", "\"cr:FileObject\"", "\"cr:Nothing\"");
    assert!(story.validate(&venv, "croissant", spoilt, &[]).is_err());
}

/// Front matter that a YAML reader understands stands first, and every recorded thing is told.
#[test]
fn the_card_says_what_is_recorded() {
    let story = Story::new();
    story.make("card v1", "card.md");
    let card = std::fs::read_to_string(story.file("card.md")).unwrap();
    assert!(card.starts_with("---\npretty_name: \"clean\"\nlicense: \"cc-by-4.0\"\n"), "{card}");
    for part in [
        "  - split: train\n    path:\n    - \"train/**\"\n",
        "  - split: test\n    path:\n    - \"test/**\"\n",
        "| https://example.org/a%20b.gz | Example Ltd | CC-BY-4.0 | contract | export |",
        "1. dedupe\n   - command: python3 dedupe.py --threshold 0.8\n",
        "3. late review\n",
        "| duplicates | en | 0.4 % | 1 |",
        "- helper-7b, for train\n",
        "- data\\_biases: Only English\n",
        "size_categories:\n- n<1K\n",
    ] {
        assert!(card.contains(part), "{part} is not in\n{card}");
    }
}

/// A version with a Parquet file, in `out` with its documents.
fn with_parquet() -> Story {
    let story = Story { directory: tempfile::tempdir().unwrap() };
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/tables");
    let script = format!(
        "set -e; stem init -q clean; cd clean; cp '{}/small.parquet' data.parquet; \
         head -c 3000 /dev/urandom > cut.parquet; printf 'PAR1' >> cut.parquet; : > none.parquet; \
         printf '{{\"n\":1,\"day\":\"2026-01-01\"}}\\n' > n.jsonl; stem add -q -A; stem commit -q -m one; \
         stem export HEAD ../out > /dev/null",
        fixtures.display()
    );
    let told = story.run(&script);
    assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
    story.make("card HEAD --format croissant", "croissant.json");
    story.make("lineage HEAD --format openlineage", "events.jsonl");
    story
}

#[test]
fn the_columns_of_parquet_are_told() {
    let story = with_parquet();
    let read = |name: &str| std::fs::read_to_string(story.file(name)).unwrap();
    let card: Value = serde_json::from_str(&read("croissant.json")).unwrap();
    let sets = card["recordSet"].as_array().unwrap();
    assert_eq!(
        sets.iter().map(|set| &set["name"]).collect::<Vec<_>>(),
        ["n.jsonl", "data.parquet"]
    );
    let fields = sets[1]["field"].as_array().unwrap().iter();
    let fields: Vec<_> = fields
        .map(|field| (field["name"].as_str().unwrap(), field["dataType"].as_str().unwrap()))
        .collect();
    let expected = [
        ("id", "sc:Integer"),
        ("score", "sc:Float"),
        ("ok", "sc:Boolean"),
        ("text", "sc:Text"),
        ("day", "sc:Date"),
        ("at", "sc:DateTime"),
        ("tags", "sc:Text"),
    ];
    assert_eq!(fields, expected);
    let events = read("events.jsonl");
    let event: Value = serde_json::from_str(events.lines().next().unwrap()).unwrap();
    let columns = &event["dataset"]["facets"]["schema"]["fields"];
    let told = |at: usize| (columns[at]["name"].clone(), columns[at]["type"].clone());
    assert_eq!(told(4), ("day".into(), "date".into()), "{event}");
    assert_eq!(told(6), ("raw".into(), "binary".into()), "{event}");
}

#[test]
fn mlcroissant_loads_parquet() {
    let Some(venv) = validators() else { return };
    let story = with_parquet();
    let found = story.validate(&venv, "croissant", "croissant.json", &[]).unwrap();
    assert_eq!(found["rows"], serde_json::json!({"data.parquet": 5, "n.jsonl": 1}));
    if let Some(schemas) = schemas() {
        story.validate(&venv, "openlineage", "events.jsonl", &[&schemas]).unwrap();
    }
}
