//! What readers and writers see of content that was erased.

use super::place::{Place, canary, with_history};

#[test]
fn what_was_erased_is_nowhere_and_all_else_is_as_it_was() {
    let place = with_history();
    let needle = canary(&place);
    assert!(!place.places(&needle).is_empty(), "it is there before");
    let before = place.must("stem log --json; stem ls v1 --json | grep -o '\"file\":\"[^\"]*\"'");
    let json = place.must("stem erase plan --path secret.txt --reason x --json");
    let planned: serde_json::Value = serde_json::from_str(&json).unwrap();
    let id = planned["data"]["plan"].as_str().unwrap();
    assert_eq!(planned["data"]["versions"].as_array().unwrap().len(), 2);
    assert!(planned["data"]["chunks"]["shared"].as_u64().unwrap() > 0, "{json}");
    let packs = "find .stem/store/packs -type f -printf '%s\\n' | paste -sd+ | bc";
    let bytes = |text: String| text.trim().parse::<u64>().unwrap();
    let then = bytes(place.must(packs));
    let run = place.must(&format!("stem erase run {id} --json"));
    let run: serde_json::Value = serde_json::from_str(&run).unwrap();
    let freed = planned["data"]["bytes"]["freed"].as_u64().unwrap();
    assert_eq!(run["data"]["erased"]["bytes"].as_u64(), Some(freed), "as planned, to the byte");
    assert_eq!(then - bytes(place.must(packs)), freed, "and as the disk says");
    assert_eq!(place.places(&needle), Vec::<String>::new());
    let after = place.must("stem log --json; stem ls v1 --json | grep -o '\"file\":\"[^\"]*\"'");
    assert_eq!(before, after, "ids stay");
    assert!(place.must("stem fsck --read-data --json").contains("\"erased\":2"));
    assert_eq!(place.must("stem cat v1:keep.txt | cksum"), place.must("seq 1 9000 | cksum"));
    place.must("stem gc -y --grace 0s && stem fsck --read-data && stem fsck --rebuild");
    assert_eq!(place.places(&needle), Vec::<String>::new());
    place.ends(19, "stem cat v1:secret.txt");
    place.must(&format!("stem erase verify {id}"));
}

#[test]
fn a_checkout_gives_the_rest_and_says_what_is_missing() {
    let place = with_history();
    let id = place.erase("--path secret.txt");
    let said = place.ends(3, "stem checkout v1");
    assert!(said.contains("secret.txt") && said.contains(&id[..16]), "{said}");
    assert_eq!(place.must("ls"), "keep.txt\nsmall.txt\n");
    assert_eq!(place.must("stem status --porcelain"), "", "it was not deleted here");
    place.must("echo b > small.txt");
    place.must("stem commit -q -a -m 'another change'");
    assert!(place.must("stem ls").contains("secret.txt  erased"), "commit -a keeps the entry");
    let said = place.ends(19, "stem restore -s v1 secret.txt");
    assert!(said.contains(&id[..16]), "{said}");
    let json = place.must("stem ls v1 --json");
    assert!(json.contains("\"presence\":\"erased\""), "{json}");
    place.ends(3, "stem export v1 ../out");
    assert_eq!(place.must("ls ../out"), "keep.txt\nsmall.txt\n");
    for quiet in ["stem diff v1 v1~0", "stem show v1", "stem log", "stem fsck"] {
        place.must(quiet);
    }
}

/// Whoever is given a graph or a card of a version sees that it is not whole.
#[test]
fn graphs_and_cards_say_what_is_missing() {
    let place = with_history();
    assert!(!place.must("stem card v1").contains("Not there"));
    place.erase("--path secret.txt");
    let said = place.must("stem card v1");
    assert!(said.contains("- Not there any more: partly erased: 1 file\n"), "{said}");
    for (format, part) in [
        ("text", " [partly erased: 1 file]"),
        ("dot", "\\n[partly erased: 1 file]\""),
        ("mermaid", "<br>[partly erased: 1 file]\"])"),
        ("json", "\"presence\":\"partly erased\""),
        ("prov", "\"stem:presence\": \"partly erased\""),
    ] {
        let said = place.must(&format!("stem lineage v1 --format {format}"));
        assert!(said.contains(part), "{format}: {said}");
    }
}

#[test]
fn it_does_not_come_back() {
    let place = with_history();
    place.must("stem cat v1:secret.txt > ../copy.txt && cp -r .git /dev/null 2> /dev/null; true");
    let id = place.erase("--path secret.txt");
    for script in [
        "cp ../copy.txt again.txt && stem add again.txt",
        "stem add -A",
        "rm again.txt && cp ../copy.txt small.txt && stem commit -a -m back",
    ] {
        let said = place.ends(19, script);
        assert!(said.contains(&id[..16]), "{said}");
    }
    place.must("echo a > small.txt");
    // One that may come along with it is taken, and the other one is listed.
    let said = place.ends(3, "echo new > new.txt; cp ../copy.txt x.txt; stem add -A");
    assert!(said.contains("x.txt"), "{said}");
    place.must("rm x.txt && stem commit -q -a -m new && stem undo -q");
    place.ends(3, "stem reset --hard v1");
    place.ends(3, "stem rollback main v1 -m back");
    assert_eq!(place.run("test -e secret.txt").status.code(), Some(1));
    place.must("stem fsck --rebuild");
    place.ends(19, "cp ../copy.txt again.txt && stem add again.txt");
    place.must("rm again.txt && stem fsck --read-data");
    place.must(&format!("stem erase verify {id}"));
}

#[test]
fn who_may_lifts_the_ban() {
    let place = with_history();
    place.must("stem cat v1:secret.txt > ../copy.txt");
    let id = place.erase("--path secret.txt");
    place.ends(12, &format!("stem erase lift {id} --reason mistake"));
    place.must("stem key trust ../.config/stem/keys/*.pub --role custodian");
    place.must(&format!("stem erase lift {id} --reason mistake"));
    place.ends(19, "stem cat v1:secret.txt");
    place.must("cp ../copy.txt again.txt && stem add again.txt && stem commit -q -m again");
    assert_eq!(place.must("stem cat v1:secret.txt | cksum"), place.must("cksum < ../copy.txt"));
    place.must("stem fsck --read-data && stem gc -y --grace 0s && stem fsck --read-data");
}

#[test]
fn copies_in_worktrees_and_other_datasets_go_too() {
    let place = with_history();
    let needle = canary(&place);
    place.must(
        "stem cat v1:secret.txt > elsewhere.txt && stem add -q elsewhere.txt \
         && stem cat v1:secret.txt > untracked.txt && mkdir ../other \
         && stem -C .. init other --store data/.stem/store --dataset second -q; true",
    );
    place.must("cd ../other && stem status > /dev/null && cp ../data/untracked.txt mine.txt && stem add -q -A && stem commit -q -m mine");
    let before = place.must("cd ../other && stem log --json");
    place.erase("--path secret.txt");
    assert_eq!(place.places(&needle), Vec::<String>::new());
    assert_eq!(place.must("cd ../other && stem log --json"), before);
    place.must("cd ../other && stem fsck --read-data");
    assert_eq!(
        place.must("stem status --porcelain | grep -v new || true").trim(),
        "A  elsewhere.txt"
    );
}

#[test]
fn one_content_by_its_id_also_if_no_version_has_it() {
    let place = Place::new();
    place.must("stem init -q && stem key generate > /dev/null && echo keep > keep.txt && stem add -q -A && stem commit -q -m one");
    place.must(&format!(
        "{} > secret.txt && stem add -q -A && stem reset -q HEAD",
        super::place::SECRETS
    ));
    let needle = canary(&place);
    let id = stemmata::model::FileId::of(&std::fs::read(place.data().join("secret.txt")).unwrap());
    place.erase(&format!("--file {}", id.to_hex()));
    assert_eq!(place.places(&needle), Vec::<String>::new());
    place.must("stem fsck --read-data");
}
