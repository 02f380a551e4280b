//! The end of a dataset's life: archived, destroyed, reported; refused where it must be; and gone on
//! with after being killed anywhere.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on should stop")]

#[allow(dead_code, reason = "shared with tests/erase")]
#[path = "erase/place.rs"]
mod place;

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use place::{Place, canary, with_history};
use serde_json::Value;

fn json(place: &Place, script: &str) -> Value {
    let text = place.must(&format!("{script} --json"));
    serde_json::from_str::<Value>(&text).expect("JSON")["data"].clone()
}

/// A history with `secret.txt` in two versions of three, `keep.txt` and `small.txt` in all.
fn classified() -> Place {
    let place = with_history();
    place.must(
        "stem classify data core --reason results --reviewer Bo \
         && stem classify data:secret.txt auxiliary --reason scratch --reviewer Bo",
    );
    place
}

fn plan(place: &Place, arguments: &str) -> String {
    let data = json(place, &format!("stem retire plan data --core-to ../archive {arguments}"));
    data["plan"].as_str().expect("an id").to_owned()
}

fn archives(place: &Place) -> Vec<String> {
    let text = place.must("ls -d ../archive/*");
    text.lines().map(str::to_owned).collect()
}

#[test]
fn what_is_destroyed_is_nowhere_and_the_rest_comes_back_as_the_same_versions() {
    let place = classified();
    let versions = json(&place, "stem log main");
    let needle = canary(&place);
    assert!(!place.places(&needle).is_empty());
    let id = plan(&place, "--aux destroy --reason over");
    let foreseen = json(&place, &format!("stem retire run {id} -n"));
    let done = json(&place, &format!("stem retire run {id}"));
    for what in ["archived", "destroyed", "kept"] {
        assert_eq!(foreseen[what], done[what], "{what}");
    }
    assert_eq!((&done["status"], &done["destroyed"]["files"]), (&"final".into(), &2.into()));
    let certificate = done["certificate"].as_str().unwrap();
    place.must(&format!("stem certificate verify {certificate} --store .stem/store"));
    let checked = json(&place, &format!("stem retire verify {id}"));
    assert_eq!((&checked["archives"], &checked["store_checked"]), (&3.into(), &true.into()));
    // Neither the store nor the worktree nor any archive has a line of it.
    assert_eq!(place.places(&needle), Vec::<String>::new());
    place.must("stem fsck --read-data");
    // The archives bring the same ids back elsewhere, but for what is gone.
    place.must("mkdir ../new && cd ../new && stem init -q --dataset other");
    for archive in archives(&place) {
        let output = place.run(&format!("cd ../new && stem archive restore {archive} --json"));
        let said: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        let version = said["data"]["version"].as_str().expect("an id").to_owned();
        let all = versions["versions"].as_array().unwrap();
        assert!(all.iter().any(|one| one["version"] == version.as_str()), "{said:#}");
        place.must(&format!("cd ../new && stem cat data@{version}:keep.txt | cmp - <(seq 1 9000)"));
    }
    place.must("cd ../new && stem fsck --read-data");
    assert_eq!(place.places(&needle), Vec::<String>::new());
}

#[test]
fn what_is_kept_is_archived_and_stays() {
    let place = classified();
    let id = plan(&place, "--aux keep --successor data@v1");
    let done = json(&place, &format!("stem retire run {id}"));
    assert_eq!((&done["certificate"], &done["destroyed"]["files"]), (&Value::Null, &0.into()));
    assert_eq!(archives(&place).len(), 3);
    place.must("stem cat v1:secret.txt | grep -q canary && grep -q canary -r ../archive");
    let state = json(&place, "stem state show data");
    assert!(state["successor"].as_str().unwrap().starts_with("data@"), "{state:#}");
    place.ends(14, "stem commit --allow-empty -m more");
    // The report is the one that the journal names, and says the same as the files.
    let report = json(&place, &format!("stem retire report {id} -o ../report"));
    assert_eq!(report["archives"].as_array().unwrap().len(), 3);
    assert_eq!(report["state"], "retired");
    told_by_graphs_and_cards(&place, "retired", "present", "retired");
    place.must("grep -q 'Retirement of data' ../report/report.html && grep -q journal_hash ../report/report.json");
    place.must(&format!("stem retire verify {id}"));
    // A changed byte in an archive, or in the report, is told of.
    place.must("f=$(ls -d ../archive/* | head -1)/data/files/small.txt; chmod u+w $f; echo b > $f");
    place.ends(20, &format!("stem retire verify {id}"));
    place.must("f=$(ls -d ../archive/* | head -1)/data/files/small.txt; echo a > $f");
    place.must(&format!("stem retire verify {id}"));
    place.must("f=$(ls .stem/store/retirements/*.report.json); sed -i s/retired/Retired/ $f");
    place.ends(20, &format!("stem retire verify {id}"));
}

/// Whoever is given a graph or a card of a version sees how far its life has come.
fn told_by_graphs_and_cards(place: &Place, state: &str, presence: &str, words: &str) {
    let (state_json, presence_json) =
        (format!("\"state\":\"{state}\""), format!("\"presence\":\"{presence}\""));
    for (format, part) in [
        ("text", format!(" [{words}]\n")),
        ("dot", format!("\\n[{words}]\"")),
        ("mermaid", format!("<br>[{words}]\"])")),
        ("json", state_json),
        ("json", presence_json),
        ("prov", format!("\"stem:state\": \"{state}\"")),
    ] {
        let said = place.must(&format!("stem lineage v1 --format {format}"));
        assert!(said.contains(&part), "{format}: {said}");
    }
    let card = place.must("stem card v1");
    assert!(card.contains(&format!("\n- State: {state}\n")), "{card}");
    let parent = place.must("stem card main");
    assert!(parent.contains(&format!(" ({words})\n")), "{parent}");
}

#[test]
fn one_version_is_retired_alone() {
    let place = classified();
    let data = json(&place, "stem retire plan data@v1 --core-to ../archive --aux destroy");
    // The later version has another `secret.txt`: only the first goes.
    assert_eq!(data["found"]["core"].as_array().unwrap().len(), 1);
    assert_eq!(data["found"]["destroyed"].as_array().unwrap().len(), 1);
    place.must(&format!("stem retire run {}", data["plan"].as_str().unwrap()));
    assert_eq!(json(&place, "stem state show data@v1")["state"], "retired");
    told_by_graphs_and_cards(&place, "retired", "partly erased", "retired, partly erased: 1 file");
    place.must("stem cat main^:secret.txt | grep -q more && stem commit -q --allow-empty -m on");
}

#[test]
fn what_another_dataset_needs_stays() {
    let place = classified();
    place.must(
        "stem init -q ../second --store .stem/store --dataset second && cd ../second \
         && (cd ../data && stem cat v1:secret.txt) > copy.txt && stem add -q -A && stem commit -q -m mine",
    );
    let data = json(&place, "stem retire plan data --core-to ../archive --aux destroy");
    assert_eq!(data["found"]["destroyed"].as_array().unwrap().len(), 1);
    assert_eq!(data["found"]["shared"]["files"], 1);
    place.must(&format!("stem retire run {}", data["plan"].as_str().unwrap()));
    place.must("cd ../second && stem cat second@main:copy.txt | grep -q canary");
}

#[test]
fn what_must_not_be_retired_is_refused_and_nothing_changes() {
    let place = with_history();
    let refused = "stem retire plan data --core-to ../archive --aux destroy";
    let journal = |place: &Place| json(place, "stem audit log");
    assert!(place.ends(15, refused).contains("secret.txt"));
    place.must("stem classify data core --reason results --reviewer Bo");
    place.must(
        "stem classify data:secret.txt auxiliary --reason r --reviewer Bo --keep-until 2030-01-01",
    );
    assert!(place.ends(15, refused).contains("kept until"));
    place.must("stem classify data:secret.txt auxiliary --reason r --reviewer Bo");
    let id = plan(&place, "--aux destroy");
    // A hold that is placed after the plan was made stands against it too.
    let hold = json(&place, "stem hold place data:secret.txt --case 9 --reason claim");
    let before = journal(&place);
    place.ends(15, &format!("stem retire run {id}"));
    assert_eq!(journal(&place), before);
    let hold = hold["hold"]["id"].as_str().unwrap();
    place.must(&format!("stem hold release {hold} --reason settled"));
    place.must("stem tag v9");
    assert!(place.ends(16, &format!("stem retire run {id}")).contains("out of date"));
    place.must(
        "stem tag -d v9 && stem retire plan data --core-to ../archive --aux keep -o ../p.json",
    );
    place.must("sed 's/not needed/not wanted/' ../p.json > ../edited.json");
    place.ends(16, "stem retire run ../edited.json");
    place.ends(2, "stem retire plan data:secret.txt --core-to ../archive --aux keep");
    place.ends(10, "stem retire run 0123456789");
    assert!(!place.top().join("archive").exists());
}

/// What would be destroyed lies somewhere else since: the erasure's plan does not know it.
#[test]
fn a_plan_of_which_the_erasure_is_out_of_date_is_not_begun() {
    let place = classified();
    let id = plan(&place, "--aux destroy --reason over");
    place.must("stem archive create v1 ../elsewhere");
    for run in ["run -n", "run"] {
        let said = place.ends(16, &format!("stem retire {run} {id}"));
        assert!(said.contains("an archive was made since"), "{said}");
    }
    assert_ne!(json(&place, "stem state show data")["state"], "retired");
    place.must("stem commit -q --allow-empty -m more && ! ls ../archive");
}

#[test]
fn a_plan_that_needs_approval_waits_for_somebody_else() {
    let place = classified();
    let id = plan(&place, "--aux destroy --approvals 1");
    assert!(place.ends(16, &format!("stem retire run {id}")).contains("approval"));
    let first = place.must("ls ../.config/stem/keys/*.key").trim().to_owned();
    let run = format!("stem retire run {id} --key {first}");
    let script =
        "stem key generate --json | grep -o '\"id\":\"[^\"]*\"' | head -1 | cut -d'\"' -f4";
    let made = place.run_as("Bob <b@x.org>", script);
    let key = String::from_utf8_lossy(&made.stdout).trim().to_owned();
    let approve = format!("stem retire approve {id} --key {key}");
    assert!(place.ends(12, &approve).contains("approver"));
    let trust = format!("stem key trust ../.config/stem/keys/{key}.pub --role approver");
    assert!(place.run_as("Bob <b@x.org>", &trust).status.success());
    place.must(&format!("{approve} --valid 0s"));
    place.ends(16, &run);
    assert!(!place.top().join("archive").exists());
    place.must(&approve);
    place.must(&run);
    let report = json(&place, &format!("stem retire report {id}"));
    assert_eq!(report["approvals"][0]["by"], "Bob <b@x.org>");
    // The certificate names him too: the erasure was approved with the plan.
    place.must(&format!("stem certificate show {} | grep 'approved by .*Bob'", cert(&report)));
}

fn cert(report: &Value) -> &str {
    report["certificate"]["id"].as_str().expect("an id")
}

/// An archive that a retirement made without some files does not allow to erase these as core.
#[test]
fn an_archive_without_a_file_does_not_stand_for_it() {
    let place = classified();
    place.must("stem archive create v1 ../whole");
    place.must("stem classify data:small.txt core --reason r --reviewer Bo");
    place.must("stem erase plan --path small.txt --reason x --json > ../plan.txt");
    place.must("grep -q 'no verified archive' ../plan.txt");
    let id = plan(&place, "--aux destroy");
    // The other archive has what is destroyed, and nobody can say what became of that: pending.
    place.ends(20, &format!("stem retire run {id}"));
    assert_eq!(
        json(&place, &format!("stem retire report {id}"))["certificate"]["status"],
        "pending"
    );
    place.must("stem erase plan --path keep.txt --reason x --json > ../plan.txt");
    let said = place.must("cat ../plan.txt");
    assert!(said.contains("no verified archive"), "{said}");
}

/// Killed at moments spread over the whole run, again and again, it comes to its end, and nothing
/// that stays is ever unreadable.
#[test]
fn killed_anywhere_it_goes_on() {
    let mut killed = 0;
    for round in 0..6_u32 {
        let place = classified();
        let id = plan(&place, "--aux destroy");
        for attempt in 0..8_u32 {
            let wait = Duration::from_millis(u64::from(20 + round * 13 + attempt * 61));
            killed += u32::from(run_for(&place, &id, wait));
            place.must("stem cat v1:keep.txt | cmp - <(seq 1 9000)");
        }
        let done = json(&place, &format!("stem retire run {id}"));
        assert_eq!(done["status"], "final");
        place.must(&format!("stem retire verify {id} && stem fsck --read-data"));
        assert_eq!(archives(&place).len(), 3, "and no unfinished one");
        assert_eq!(place.places(&canary(&place)), Vec::<String>::new());
    }
    assert!(killed >= 6, "only {killed} runs were killed");
}

/// Runs the plan, and kills it after a while. Whether it was still at work.
fn run_for(place: &Place, id: &str, wait: Duration) -> bool {
    let mut child = Command::new(env!("CARGO_BIN_EXE_stem"))
        .args(["retire", "run", id])
        .current_dir(place.data())
        .env("HOME", place.top())
        .env_remove("XDG_CONFIG_HOME")
        .env("STEM_AUTHOR", "Ann Example <ann@example.org>")
        .env("SOURCE_DATE_EPOCH", "1767323045")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let end = Instant::now() + wait;
    while Instant::now() < end {
        if child.try_wait().unwrap().is_some() {
            return false;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    true
}
