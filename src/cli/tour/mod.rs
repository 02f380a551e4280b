//! The tour: the program's main job from beginning to end, on a small dataset, by real commands.
//!
//! Here: what is typed and what happens between. `guide` runs it, `data` is the dataset.
//! Not here: anything that a user could not type.
//! Invariant: a command that does not end as the story says ends the tour with an error.

mod data;
mod governance;
mod guide;

use std::path::PathBuf;

use serde::Serialize;

use super::{Context, Failure};
use guide::{Guide, Step};

/// Where the reader may go on.
#[derive(Debug, Serialize)]
pub(super) struct Tour {
    /// The directory with the repositories.
    #[serde(serialize_with = "stemmata::model::exact_path")]
    pub(super) directory: PathBuf,
    steps: Vec<Step>,
    dry_run: bool,
}

impl Tour {
    /// A tour that is not given.
    pub(super) fn planned(directory: PathBuf) -> Self {
        Self { directory, steps: Vec::new(), dry_run: true }
    }
}

/// Gives the tour in `directory`, which is empty.
pub(super) fn lead(context: &Context, directory: PathBuf) -> Result<Tour, Failure> {
    let work = directory.join("chat-data");
    std::fs::create_dir_all(&work).map_err(Failure::Answer)?;
    let mut guide = Guide::new(context, work, directory.join("keys"))?;
    first_version(&mut guide)?;
    clean_on_a_branch(&mut guide)?;
    two_people(&mut guide)?;
    dangerous_moments(&mut guide)?;
    a_bad_batch(&mut guide)?;
    read_without_checkout(&mut guide)?;
    another_dataset(&mut guide, &directory)?;
    governance::where_from(&mut guide, &directory)?;
    governance::rules(&mut guide)?;
    from_git(&mut guide, &directory)?;
    check(&mut guide, &directory)?;
    governance::erasure(&mut guide, &directory)?;
    governance::archive(&mut guide)?;
    Ok(Tour { directory, steps: guide.steps, dry_run: false })
}

fn first_version(guide: &mut Guide<'_>) -> Result<(), Failure> {
    guide.scene("1. A directory of data becomes a repository")?;
    for (path, bytes) in data::FILES {
        guide.write(path, bytes)?;
    }
    guide.stem(&["init"])?;
    guide.stem(&["status"])?;
    guide.stem(&["add", "-A"])?;
    let source = "uri=https://example.org/delivery-1.tar,licence=CC-BY-4.0,retrieved=2026-11-02";
    let said = ["--source", source, "--purpose", "tuning a chat model", "--language", "en"];
    let message = "Raw delivery: 480 instructions, 12 labelled images";
    guide.stem(&[&["commit", "-m", message][..], &said[..]].concat())?;
    guide.stem(&["tag", "raw-v1", "-m", "as received"])?;
    guide.stem(&["ls", "-l"])
}

fn clean_on_a_branch(guide: &mut Guide<'_>) -> Result<(), Failure> {
    guide.scene("2. Cleaning, on a branch of its own")?;
    guide.stem(&["switch", "-b", "clean"])?;
    guide.say("a script drops instructions without an answer")?;
    for path in ["instructions.en.jsonl", "instructions.zh.jsonl"] {
        guide.edit(path, |_, line| (!line.contains("\"output\": \"\"")).then(|| line.into()))?;
    }
    guide.stem(&["diff"])?;
    guide.stem(&["commit", "-a", "-m", "Drop instructions without an answer"])?;
    guide.stem(&["diff", "raw-v1", "HEAD", "--stat"])
}

fn two_people(guide: &mut Guide<'_>) -> Result<(), Failure> {
    guide.scene("3. Meanwhile, on main: a label is corrected, and both meet")?;
    guide.author("Bo Chen <bo@example.org>");
    guide.stem(&["switch", "main"])?;
    guide.edit("labels.csv", |_, line| Some(line.replace("007.png,square", "007.png,triangle")))?;
    guide.stem(&["commit", "-a", "-m", "Image 7 shows a triangle"])?;
    guide.stem(&["merge", "clean"])?;
    guide.stem(&["log", "--graph", "--oneline"])?;
    guide.say("two people change the same file, each in another way")?;
    guide.stem(&["switch", "-b", "relabel", "main~1"])?;
    guide.edit("labels.csv", |_, line| Some(line.replace("annotator-2", "annotator-3")))?;
    guide.stem(&["commit", "-a", "-m", "Annotator 2 is annotator 3"])?;
    guide.stem(&["switch", "main"])?;
    guide.edit("labels.csv", |_, line| Some(line.replace("annotator-1", "lin")))?;
    guide.stem(&["commit", "-a", "-m", "Annotator 1 is Lin"])?;
    guide.stem_ends(4, &["merge", "relabel"])?;
    guide.say("an editor puts both changes together")?;
    guide.edit("labels.csv", |_, line| Some(line.replace("annotator-2", "annotator-3")))?;
    guide.stem(&["add", "labels.csv"])?;
    guide.stem(&["merge", "--continue"])?;
    guide.stem(&["tag", "train-v1", "-m", "for the first training run"])
}

fn dangerous_moments(guide: &mut Guide<'_>) -> Result<(), Failure> {
    guide.scene("4. Nothing unsaved is ever overwritten, and the last change can be taken back")?;
    guide.edit("labels.csv", |_, line| Some(line.replace("blue", "navy")))?;
    guide.stem_ends(15, &["switch", "raw-v1"])?;
    guide.stem(&["restore", "--force", "labels.csv"])?;
    guide.stem(&["reset", "--hard", "raw-v1"])?;
    guide.say("that was the wrong branch")?;
    guide.stem(&["undo"])?;
    guide.stem(&["status"])
}

fn a_bad_batch(guide: &mut Guide<'_>) -> Result<(), Failure> {
    guide.scene("5. A bad batch gets in, is noticed late, and is rolled back")?;
    guide.say("a program writes every answer of the Chinese file beside the wrong question")?;
    let mut last = String::from("?");
    guide.edit("instructions.zh.jsonl", |_, line| {
        let (head, answer) = line.split_once("\"output\": ")?;
        let shifted = format!("{head}\"output\": {last}");
        last = answer.to_owned();
        Some(shifted)
    })?;
    guide.stem(&["commit", "-a", "-m", "New batch from the translation team"])?;
    guide.edit("instructions.en.jsonl", |number, line| (number % 50 != 49).then(|| line.into()))?;
    guide.stem(&["commit", "-a", "-m", "Hold out every 50th English instruction"])?;
    guide.edit("labels.csv", |_, line| Some(line.replace("red", "crimson")))?;
    guide.stem(&["commit", "-a", "-m", "Red is called crimson"])?;
    guide.say("the model has become worse: which version began it?")?;
    guide.stem(&["bisect", "start", "main", "train-v1"])?;
    let is_good = "! grep -q 'output\": ?$' instructions.zh.jsonl";
    guide.stem(&["bisect", "run", "sh", "-c", is_good])?;
    guide.stem(&["bisect", "reset"])?;
    guide.stem(&["log", "--oneline", "-n", "3", "--", "instructions.zh.jsonl"])?;
    guide.say("only the bad change is taken back; what came after it stays")?;
    guide.stem(&["revert", "HEAD~2"])?;
    guide.stem(&["rollback", "main", "train-v1", "-m", "The model was trained on train-v1"])?;
    guide.stem(&["log", "--oneline", "-n", "5"])?;
    guide.stem(&["diff", "train-v1", "main", "--exit-code"])?;
    guide.stem(&["reflog", "-n", "5"])
}

fn read_without_checkout(guide: &mut Guide<'_>) -> Result<(), Failure> {
    guide.scene("6. Any file of any version, without checking it out")?;
    guide.stem(&["cat", "raw-v1:labels.csv", "--range", "0-30"])?;
    guide.stem(&["ls", "raw-v1", "images", "-l"])?;
    guide.stem(&["export", "raw-v1", "../raw-v1"])?;
    guide.stem(&["du"])
}

fn another_dataset(guide: &mut Guide<'_>, directory: &std::path::Path) -> Result<(), Failure> {
    guide.scene("7. A second dataset in the same store shares what it has in common")?;
    let evaluation = directory.join("eval-data");
    std::fs::create_dir_all(&evaluation).map_err(Failure::Answer)?;
    let store = guide.directory().join(".stem/store").display().to_string();
    guide.go(evaluation)?;
    guide.stem(&["init", "--store", &store, "--dataset", "eval-data"])?;
    guide.stem(&["export", "chat-data@train-v1", "questions"])?;
    guide.stem(&["add", "-A"])?;
    guide.stem(&["commit", "-m", "The training questions, to look for leaks"])?;
    guide.stem(&["datasets"])?;
    guide.stem(&["diff", "chat-data@raw-v1", "chat-data@train-v1", "--name-status"])
}

fn from_git(guide: &mut Guide<'_>, directory: &std::path::Path) -> Result<(), Failure> {
    guide.scene("10. A dataset that is kept in Git moves over with its history")?;
    let old = directory.join("kept-in-git");
    if !make_git_repository(&old) {
        return guide.say("left out: there is no git on this machine");
    }
    let imported = directory.join("imported");
    std::fs::create_dir_all(&imported).map_err(Failure::Answer)?;
    guide.go(imported)?;
    guide.stem(&["init"])?;
    guide.stem(&["import", "git", "../kept-in-git"])?;
    guide.stem(&["log"])?;
    guide.say("nothing new, so nothing to do")?;
    guide.stem(&["import", "git", "../kept-in-git"])
}

/// A Git repository with two commits by two people; false where that cannot be had.
fn make_git_repository(place: &std::path::Path) -> bool {
    let script = "git init -q -b main . \
        && printf '{\"prompt\": \"2+2?\", \"chosen\": \"4\", \"rejected\": \"5\"}\\n' > pairs.jsonl \
        && git add . && git -c user.name='Lin Mei' -c user.email=lin@example.org \
            commit -q -m 'The first pair' \
        && printf '{\"prompt\": \"3+3?\", \"chosen\": \"6\", \"rejected\": \"9\"}\\n' >> pairs.jsonl \
        && git -c user.name='Bo Chen' -c user.email=bo@example.org commit -q -a -m 'Another pair' \
        && git tag v1";
    let made = std::fs::create_dir_all(place).is_ok();
    let run = std::process::Command::new("sh")
        .args(["-c", script])
        .current_dir(place)
        .stderr(std::process::Stdio::null())
        .status();
    made && run.is_ok_and(|status| status.success())
}

fn check(guide: &mut Guide<'_>, directory: &std::path::Path) -> Result<(), Failure> {
    guide.scene("11. Every stored byte is read again and checked; what nobody needs goes")?;
    guide.go(directory.join("chat-data"))?;
    guide.stem(&["fsck", "--read-data"])?;
    guide.say("an experiment with a big file is given up")?;
    guide.stem(&["switch", "-b", "experiment"])?;
    let noise: Vec<u8> = (0u64..200_000)
        .map(|n| (n.wrapping_mul(n).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8)
        .collect();
    guide.write("embeddings.bin", &noise)?;
    guide.stem(&["add", "embeddings.bin"])?;
    guide.stem(&["commit", "-m", "Embeddings, to be thrown away"])?;
    guide.stem(&["switch", "main"])?;
    guide.stem(&["branch", "-D", "experiment"])?;
    guide.stem(&["gc", "--grace", "0s"])?;
    guide.stem(&["gc", "--grace", "0s", "--yes"])?;
    guide.stem(&["fsck", "--read-data"])
}
