//! Who else has it: archives and worktrees that are looked into, that come back, that are gone; and
//! when a certificate may be final.

use super::certificates::{python, verifier};
use super::place::{Place, with_history};

fn status(place: &Place, id: &str) -> (String, serde_json::Value) {
    let json = place.must(&format!("stem certificate show {id} --json"));
    let shown: serde_json::Value = serde_json::from_str(&json).unwrap();
    let predicate = shown["data"]["predicate"].clone();
    (predicate["status"].as_str().unwrap().to_owned(), predicate)
}

fn holder(predicate: &serde_json::Value, kind: &str) -> serde_json::Value {
    let all = predicate["holders"].as_array().unwrap();
    all.iter().find(|one| one["kind"] == kind).unwrap().clone()
}

/// Both verifiers take it.
fn holds(place: &Place, id: &str) {
    place.must(&format!("stem certificate verify {id} --store .stem/store"));
    if let Some(python) = python() {
        let (python, verifier) = (python.display(), verifier());
        place.must(&format!(
            "{python} {} .stem/store/certificates/{id}.json ../.config/stem/keys/*.pub",
            verifier.display()
        ));
    }
}

#[test]
fn an_archive_that_can_be_reached_is_looked_into() {
    let place = with_history();
    place.must("stem archive create v1 ../with && stem archive create HEAD ../without");
    let id = place.plan("--path secret.txt");
    let said = place.run(&format!("stem erase run {id}"));
    assert_eq!(said.status.code(), Some(20));
    let (state, predicate) = status(&place, &id);
    assert_eq!(state, "pending");
    let archives: Vec<_> = predicate["holders"].as_array().unwrap().iter().collect();
    let of = |name: &str| {
        let fits = |one: &&&serde_json::Value| one["place"].as_str().unwrap().ends_with(name);
        (*archives.iter().find(fits).unwrap()).clone()
    };
    assert_eq!(of("/without")["level"], "L1", "{predicate:#}");
    let method = of("/with")["method"].as_str().unwrap().to_owned();
    assert!(method.contains("data/files/secret.txt") && method.contains("attest"), "{method}");
    holds(&place, &id);
    // It is there: nobody may say that it was destroyed; nor that another one was.
    let with = of("/with")["place"].as_str().unwrap().to_owned();
    place.ends(2, &format!("stem erase attest {id} {with} --reason shredded"));
    place.ends(2, &format!("stem erase attest {id} ../elsewhere --reason shredded"));
    let said = place.run(&format!("stem erase verify {id}"));
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    assert!(said.contains("waits for archive") && said.contains("secret.txt"), "{said}");
    // The version is archived again without it, and the old archive goes.
    place.must("stem archive create v1 ../again && rm -r ../with");
    let said = place.must(&format!("stem erase verify {id}"));
    assert!(said.contains("waits for archive"), "gone is not destroyed: {said}");
    place.must(&format!("stem erase attest {id} {with} --reason 'tape 7 shredded'"));
    let said = place.must(&format!("stem erase verify {id}"));
    assert!(said.contains("final"), "{said}");
    let (state, predicate) = status(&place, &id);
    assert_eq!((state.as_str(), of("/with")["status"].as_str()), ("final", Some("unconfirmed")));
    let told = predicate["not_proven"].to_string();
    assert!(told.contains("tape 7") && told.contains("by the word of Ann"), "{told}");
    assert!(predicate["holders"].to_string().contains("attested"), "{predicate:#}");
    holds(&place, &id);
    place.must("stem audit verify && stem fsck --rebuild && stem audit verify");
}

#[test]
fn a_part_of_it_in_an_archive_is_found_as_well() {
    let place = with_history();
    place.must("stem archive create HEAD ../bag");
    let id = place.plan("--path secret.txt");
    // Somebody has put a piece of it there, under another name.
    place.must("stem cat v1:secret.txt | tail -n 100 > ../bag/data/files/small.txt");
    place.ends(20, &format!("stem erase run {id}"));
    let (_, predicate) = status(&place, &id);
    let method = holder(&predicate, "archive")["method"].to_string();
    assert!(method.contains("a part in data/files/small.txt"), "{method}");
    // An archive that was clean when it was looked into, and is not any more, is told of.
    let place = with_history();
    place.must("stem archive create HEAD ../bag && stem cat v1:secret.txt > ../copy");
    let id = place.erase("--path secret.txt");
    assert_eq!(status(&place, &id).0, "final");
    place.must("mv ../copy ../bag/data/files/more");
    let said = place.run(&format!("stem erase verify {id}"));
    let text = String::from_utf8_lossy(&said.stdout).into_owned();
    assert!(said.status.code() == Some(20) && text.contains("data/files/more"), "{text}");
}

/// Whoever has got the content since the plan was made would be in no certificate.
#[test]
fn who_has_come_since_the_plan_was_made_is_not_passed_over() {
    let place = with_history();
    let id = place.plan("--path secret.txt");
    place.must("stem archive create HEAD ../without");
    place.must(&format!("stem erase run -n {id}"));
    place.must("stem archive create v1 ../with && cp -r ../with ../copy");
    for run in ["run -n", "run"] {
        let said = place.ends(16, &format!("stem erase {run} {id}"));
        assert!(said.contains("an archive was made since") && said.contains("/with"), "{said}");
    }
    let id = place.plan("--path secret.txt");
    place.must("stem init -q --store .stem/store --dataset second ../other");
    let said = place.ends(16, &format!("stem erase run {id}"));
    assert!(said.contains("a worktree has come since"), "{said}");
    let id = place.plan("--path secret.txt");
    place.ends(20, &format!("stem erase run {id}"));
    assert_eq!(status(&place, &id).0, "pending");
    // A copy of the archive is not the one that would be made now.
    place.ends(2, "stem archive create v1 ../copy");
    holds(&place, &id);
}

#[test]
fn a_worktree_that_was_away_comes_back_and_is_looked_into() {
    let place = with_history();
    place.must(
        "mkdir ../other && cd ../other && stem init -q --store ../data/.stem/store --dataset second \
         && stem -C ../data cat v1:secret.txt > mine.txt && stem add -q -A && stem commit -q -m mine \
         && mv ../other ../away",
    );
    let id = place.plan("--path secret.txt");
    place.ends(20, &format!("stem erase run {id}"));
    let (state, predicate) = status(&place, &id);
    assert_eq!(state, "pending");
    let all = predicate["holders"].as_array().unwrap();
    let at = |end: &str| {
        let fits =
            |one: &&serde_json::Value| one["place"].as_str().is_some_and(|at| at.ends_with(end));
        all.iter().find(fits).unwrap()["status"].clone()
    };
    assert_eq!((at("/data"), at("/other")), ("confirmed".into(), "unconfirmed".into()));
    assert!(predicate["not_proven"].to_string().contains("bring it back"), "{predicate:#}");
    holds(&place, &id);
    place.must("mv ../away ../other");
    // It has the content: that is found, and `run` takes it away.
    place.ends(20, &format!("stem erase verify {id}"));
    place.must(&format!(
        "stem erase run {id} && stem erase verify {id} && ! test -e ../other/mine.txt"
    ));
    assert_eq!(status(&place, &id).0, "final");
    holds(&place, &id);
    let needle = super::place::canary(&place);
    assert_eq!(place.places(&needle), Vec::<String>::new());
}

/// `erase verify -n` only looks: a certificate that could become final stays as it is.
#[test]
fn a_dry_verification_signs_nothing() {
    let place = with_history();
    place.must(
        "mkdir ../other && cd ../other && stem init -q --store ../data/.stem/store --dataset second \
         && seq 1 99 > own.txt && stem add -q -A && stem commit -q -m own && mv ../other ../away",
    );
    let id = place.plan("--path secret.txt");
    place.ends(20, &format!("stem erase run {id}"));
    place.must("mv ../away ../other");
    let file = place.store().join("certificates").join(format!("{id}.json"));
    let before = (std::fs::read(&file).unwrap(), place.must("stem audit verify"));
    let said = place.must(&format!("stem erase verify {id} --dry-run --json"));
    assert!(said.contains("\"status\":\"pending\"") && said.contains("\"dry_run\":true"), "{said}");
    assert!(place.must(&format!("stem erase verify -n {id}")).contains("pending"));
    assert!(before == (std::fs::read(&file).unwrap(), place.must("stem audit verify")));
    place.must(&format!("stem erase verify {id}"));
    assert_eq!(status(&place, &id).0, "final");
}

/// A version lists the file of which a record was erased; what is given out in its place goes with
/// the version when nothing names it any more. An archive then brings back a listing that leads to
/// nothing, unless it holds the copy itself.
#[test]
fn a_version_comes_back_after_its_copies_without_records_were_collected() {
    let place = Place::new();
    place.must(
        "stem init -q && stem key generate > /dev/null && echo base > base.txt && stem add -q -A \
         && stem commit -q -m base && stem switch -q -b side && python3 -c '
for i in range(4000): print(f\"\"\"{{\"id\":{i},\"mail\":\"person-{i * i}@{i}.example.org\"}}\"\"\")' > t.jsonl \
         && grep -v ':1234,' t.jsonl > ../rest && stem add -q -A && stem commit -q -m side \
         && stem tag keep > /dev/null && stem archive create -q side ../before && stem switch -q main",
    );
    // The archive still has the record.
    let plan = place.plan("--key id=1234");
    place.ends(20, &format!("stem erase run {plan}"));
    place.must(
        "stem archive create -q keep ../after && stem tag -d keep && stem branch -q -D side \
         && stem gc -q --grace 0s --yes",
    );
    let foreseen = place.run("stem archive restore -n ../before");
    assert_eq!(foreseen.status.code(), Some(3));
    let output = place.run("stem archive restore ../before");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains("t.jsonl is not there: nowhere"), "{said}");
    assert!(String::from_utf8_lossy(&foreseen.stdout).contains("is not there"));
    place.must("stem fsck -q --read-files");
    let name = place.must("stem tag | cut -d' ' -f1");
    let name = name.trim();
    place.ends(19, &format!("stem cat {name}:t.jsonl"));
    place.must(&format!("stem switch -q {name}; test -f base.txt && test ! -e t.jsonl"));
    place.must("stem switch -q main && stem gc -q --grace 0s --yes && stem fsck -q --read-files");
    // The archive that was made afterwards has it.
    place.must("stem archive restore ../after");
    place.must(&format!("stem cat {name}:t.jsonl | cmp - ../rest && stem fsck -q --read-files"));
    place.must("stem fsck -q --rebuild && stem audit verify && stem fsck -q --read-files");
    assert!(place.places(b"@1234.example.org").iter().all(|at| at.contains("/before/")));
}

/// What is given out in the place of an erased file is archived and dropped as any other content,
/// unless the archive has the file as it was before.
#[test]
fn a_copy_without_records_is_dropped_with_its_version_and_comes_back() {
    let place = Place::new();
    place.must(
        "stem init -q && stem key generate > /dev/null && python3 -c '
for i in range(4000): print(f\"\"\"{{\"id\":{i},\"mail\":\"person-{i * i}@{i}.example.org\"}}\"\"\")' > t.jsonl \
         && grep -v ':1234,' t.jsonl > ../rest && stem add -q -A && stem commit -q -m one \
         && stem archive create -q HEAD ../before",
    );
    let plan = place.plan("--key id=1234");
    place.ends(20, &format!("stem erase run {plan}"));
    place.must(
        "stem rm -q t.jsonl && echo two > two && stem add -q two && stem commit -q -m two \
         && stem archive create -q HEAD~1 ../after && stem archive create -q HEAD~1 ../again -n \
         && stem state set data retired --reason over > /dev/null",
    );
    let kept = b"@2345.example.org";
    // The archive that has the record is none of what is here.
    let json = place.must("stem archive drop HEAD~1 --archive ../before -n --json");
    assert!(json.contains("\"files\":0,") && json.contains("\"kept_files\":1,"), "{json}");
    let json = place.must("stem archive drop HEAD~1 --archive ../after --json");
    assert!(json.contains("\"files\":1,") && json.contains("\"kept_files\":0,"), "{json}");
    let said = place.ends(19, "stem cat HEAD~1:t.jsonl");
    assert!(said.contains("archive restore"), "{said}");
    place.must("stem gc -q --grace 0s --yes && stem fsck -q --read-files && stem audit verify");
    assert!(!super::place::places(&place.store(), kept).iter().any(|at| at.contains("/packs/")));
    place.must(&format!("stem certificate verify {plan} --store .stem/store"));
    // It is not said to be erased: it lies in the other archive.
    let said = place.ends(19, "stem archive create HEAD~1 ../third");
    assert!(said.contains("after"), "{said}");
    place.must("stem archive restore ../after && stem cat HEAD~1:t.jsonl | cmp - ../rest");
    place.must("stem fsck -q --read-files && stem fsck -q --rebuild && stem audit verify");
    place.must("stem cat HEAD~1:t.jsonl | cmp - ../rest");
}

/// The catalogue names where the worktree lay before.
#[test]
fn a_worktree_that_was_moved_is_looked_into_where_it_is() {
    let place = with_history();
    place.must("stem cat v1:secret.txt > kept.txt && mv ../data ../moved && mkdir ../data");
    let plan = "cd ../moved && stem erase plan --path secret.txt --reason x --json";
    let made: serde_json::Value = serde_json::from_str(&place.must(plan)).unwrap();
    let id = made["data"]["plan"].as_str().unwrap();
    place.must(&format!("cd ../moved && stem erase run {id} && test ! -e kept.txt"));
    place.must("rmdir ../data && mv ../moved ../data");
    place.must(&format!("stem certificate verify {id} --store .stem/store"));
    assert_eq!(status(&place, id).0, "final");
}

/// The catalogue of a copy names the worktree of the original.
#[test]
fn erasing_from_a_copy_of_the_repository_leaves_the_original_alone() {
    let place = with_history();
    place.must("stem cat v1:secret.txt > kept.txt && cp -a ../data ../copy");
    let plan = "cd ../copy && stem erase plan --path secret.txt --reason x --json";
    let made: serde_json::Value = serde_json::from_str(&place.must(plan)).unwrap();
    let id = made["data"]["plan"].as_str().unwrap();
    place.must(&format!("cd ../copy && stem erase run {id} && test ! -e kept.txt"));
    place.must("test -e kept.txt && stem cat v1:secret.txt | cmp - kept.txt && stem fsck -q");
    place.ends(19, "cd ../copy && stem cat v1:secret.txt");
    // The worktree of another store is nobody's here, and can be forgotten.
    place.must("stem init -q --store .stem/store --dataset second ../second");
    place.must("rm -r ../copy && cp -a ../data ../copy");
    let said = place.must("cd ../copy && stem doctor");
    assert!(said.contains("not there any more") && said.contains("/second"), "{said}");
}
