//! The scenes about knowing and proving: origins, rules, the journal, and the end of data.

use std::path::Path;

use super::guide::Guide;
use crate::cli::Failure;

/// What the tour's store asks of every version on `main`.
const POLICY: &str = r#"[[rule]]
name = "released data says what it is for and how good it is"
branches = ["release"]
require = ["purpose", "steps"]

[[rule.metric]]
name = "accuracy"
min = 0.9
"#;

/// Where it came from, what was done, who trained on it.
pub(super) fn where_from(guide: &mut Guide<'_>, directory: &Path) -> Result<(), Failure> {
    guide.scene("8. Where did it come from, what was done to it, who has trained on it?")?;
    guide.go(directory.join("chat-data"))?;
    guide.say("a command is run, and what it read, wrote and was is recorded with its outcome")?;
    guide.stem(&[
        "run",
        "-i",
        "instructions.en.jsonl",
        "-o",
        "instructions.en.jsonl",
        "--name",
        "drop-arithmetic",
        "--purpose",
        "tuning a chat model",
        "-m",
        "Written instructions only",
        "--",
        "sed",
        "-i",
        "/\"source\": \"arithmetic\"/d",
        "instructions.en.jsonl",
    ])?;
    guide.stem(&["metric", "set", "train-v1", "accuracy=0.88", "--sample-size", "200"])?;
    guide.stem(&["metric", "set", "HEAD", "accuracy=0.93", "--sample-size", "200"])?;
    guide.stem(&["metric", "diff", "train-v1", "HEAD"])?;
    guide.stem(&[
        "consumer",
        "add",
        "chat-7b",
        "--kind",
        "model",
        "--used",
        "chat-data@HEAD=train",
        "--uri",
        "https://models.example.org/chat-7b",
    ])?;
    guide.stem(&["note", "add", "HEAD~1", "--kind", "incident", "Labels by annotator 2 lost"])?;
    guide.say("one question, and the whole answer")?;
    guide.stem(&["lineage", "https://example.org/delivery-1.tar", "--down", "--depth", "2"])?;
    guide.stem(&["lineage", "chat-7b", "--depth", "1"])?;
    guide.stem(&["contains", "images/000.png"])?;
    guide.stem(&["query", "SELECT name, value, sample_size FROM metrics ORDER BY value"])?;
    guide.stem(&["rerun", "HEAD", "--verify"])?;
    guide.stem(&["card", "HEAD", "-o", "../chat-data.md"])
}

/// Rules that the program keeps, and a journal that nobody edits unseen.
pub(super) fn rules(guide: &mut Guide<'_>) -> Result<(), Failure> {
    guide.scene("9. Rules for what may be released, and a journal that nobody edits unseen")?;
    guide.write("../policy.toml", POLICY.as_bytes())?;
    guide.stem(&["policy", "set", "../policy.toml"])?;
    guide.stem(&["policy", "explain", "--branch", "release"])?;
    guide.say("the first delivery was never measured, so it may not be released")?;
    guide.stem_ends(14, &["branch", "release", "raw-v1"])?;
    guide.stem(&["branch", "release", "HEAD"])?;
    let key = guide.stem_says(&["key", "generate"])?;
    let key = key.lines().find_map(|line| line.trim().strip_prefix("key ")).unwrap_or_default();
    let key = key.split_whitespace().next().unwrap_or_default().to_owned();
    guide.stem(&["key", "trust", &key, "--role", "author", "--role", "custodian"])?;
    guide.stem(&["tag", "release-v1", "release", "-s", "-m", "released"])?;
    guide.stem(&["log", "-n", "1", "--show-signature"])?;
    guide.stem(&["audit", "log", "-n", "5"])?;
    guide.stem(&["audit", "checkpoint", "-o", "../journal.note"])?;
    guide.stem(&["audit", "verify", "--checkpoint", "../journal.note"])
}

/// Content that is taken out of every version, with proof.
pub(super) fn erasure(guide: &mut Guide<'_>, directory: &Path) -> Result<(), Failure> {
    guide.scene("12. Somebody asks to be forgotten: gone from every version, and proven")?;
    guide.go(directory.join("chat-data"))?;
    let people = "annotator,address\nannotator-1,lin@example.org\nannotator-2,bo@example.org\n";
    guide.write("people.csv", people.as_bytes())?;
    guide.stem(&["add", "people.csv"])?;
    guide.stem(&["commit", "-m", "Who has labelled what"])?;
    guide.stem(&["rm", "people.csv"])?;
    guide.stem(&["commit", "-m", "Addresses do not belong here"])?;
    guide.say("removing it from the newest version is not enough: the history still has it")?;
    guide.stem(&["cat", "HEAD~1:people.csv"])?;
    let basis = "GDPR Art. 17";
    let plan = "../erase.json";
    let asked = ["erase", "plan", "--path", "people.csv", "--reason", "a person asked for it"];
    guide.stem(&[&asked[..], &["--basis", basis, "-o", plan]].concat())?;
    guide.stem(&["erase", "run", plan])?;
    guide.stem_ends(19, &["cat", "HEAD~1:people.csv"])?;
    guide.say("the old version keeps its id and everything else")?;
    guide.stem_ends(3, &["switch", "HEAD~1"])?;
    guide.stem(&["switch", "main"])?;
    guide.write("people.csv", people.as_bytes())?;
    guide.stem_ends(19, &["add", "people.csv"])?;
    guide.remove("people.csv")?;
    let certificate = guide.certificate()?;
    guide.stem(&["certificate", "verify", &certificate, "--store", ".stem/store"])?;
    guide.say("one record, in every version of every file that has it; all other rows stay")?;
    let plan = "../erase-record.json";
    let asked = ["erase", "plan", "--key", "id=en-0003", "--reason", "its author withdrew it"];
    guide.stem(&[&asked[..], &["-o", plan]].concat())?;
    guide.stem(&["erase", "run", plan])?;
    guide.stem(&["ls", "raw-v1"])?;
    guide.stem(&["fsck", "--read-data"])
}

/// The end: what matters is archived where anybody can read it.
pub(super) fn archive(guide: &mut Guide<'_>) -> Result<(), Failure> {
    guide.scene("13. What matters is kept where anybody can read it without this program")?;
    let reason = ["--reason", "chat-7b was trained on it", "--reviewer", "Bo Chen"];
    guide.stem(&[&["classify", "chat-data@train-v1", "core"][..], &reason[..]].concat())?;
    guide.stem(&["hold", "place", "train-v1", "--case", "L-12", "--reason", "a lawsuit"])?;
    guide.stem(&["archive", "create", "train-v1", "../archive"])?;
    guide.stem(&["archive", "verify", "../archive"])?;
    guide.scene("14. A dataset's life ends: archived, frozen, reported")?;
    let reason = ["--reason", "answers auditors", "--reviewer", "Bo Chen"];
    guide.stem(&[&["classify", "eval-data", "core"][..], &reason[..]].concat())?;
    let plan = "../retire.json";
    let kept = ["--core-to", "../kept", "--aux", "keep", "-o", plan];
    guide.stem(&[&["retire", "plan", "eval-data"][..], &kept[..]].concat())?;
    guide.stem(&["retire", "run", plan])?;
    guide.stem(&["retire", "verify", plan])?;
    guide.stem(&["datasets"])
}
