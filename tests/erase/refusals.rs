//! Bad input, plans that do not count, and what stands in the way: a clear error, the documented
//! exit code, and nothing changed.

use stemmata::model::{FileId, RepoPath};
use stemmata::repo::{Environment, Repository, Transaction, ingest};
use stemmata::worktree::{FileList, Found, Root, Stat};

use super::place::{Place, with_history};

#[test]
fn what_selects_nothing_or_everything_is_refused() {
    let place = with_history();
    place.ends(10, "stem erase plan --path nothing.txt --reason x");
    place.ends(10, &format!("stem erase plan --file {} --reason x", "0".repeat(64)));
    place.ends(10, "stem erase plan --path a --dataset nowhere --reason x");
    place.ends(2, "stem erase plan --path secret.txt --reason ' '");
    place.ends(2, "stem erase plan --path secret.txt");
    place.ends(2, "stem erase plan --reason x");
    place.ends(2, "stem erase plan --file nonsense --reason x");
    let said = place.ends(2, "stem erase plan --path '*' --reason x");
    assert!(said.contains("--yes-all"), "{said}");
    place.ends(2, "stem erase plan --path '*' --reason x --yes-all other");
    place.must("stem erase plan --path '*' --reason x --yes-all data");
    place.ends(10, "stem erase run 0123456789");
    place.ends(10, "stem erase show no-such-file");
    place.ends(10, "stem certificate show 0123456789");
    place.must("stem erase plan -n --path secret.txt --reason x && ! ls .stem/store/plans/*.secret 2> /dev/null");
}

/// The path is right: it is not said to be unknown.
#[test]
fn an_empty_file_is_nothing_to_erase() {
    let place = Place::new();
    place.must("stem init -q && touch none none2 && echo text > some && stem add -q -A && stem commit -q -m one");
    let id = stemmata::model::FileId::of(b"");
    for what in ["--path none".into(), "--path 'none*'".into(), format!("--file {id}")] {
        let said = place.ends(1, &format!("stem erase plan {what} --reason x"));
        assert!(said.contains("nothing to erase") && said.contains("empty files only"), "{said}");
    }
    let said = place.ends(1, "stem erase plan --path none --reason x --json");
    assert!(said.contains("\"code\":\"nothing_to_erase\",\"exit\":1,"), "{said}");
    place.ends(10, "stem erase plan --path no --reason x");
    // Something else is named as well, or was there before.
    place.must("stem erase plan --path none --path some --reason x --yes-all data");
    place.must(
        "echo words > none && stem commit -q -a -m two && : > none && stem commit -q -a -m three",
    );
    place.must("stem erase plan --path none --reason x");
}

#[test]
fn a_plan_counts_only_as_it_was_made_and_where() {
    let place = with_history();
    let id = place.plan("--path secret.txt -o ../plan.json");
    place.must("sed 's/request 7/request 8/' ../plan.json > ../edited.json");
    place.must("echo '{' > ../broken.json; printf '[%.0s' {1..100000} > ../deep.json");
    for plan in ["../edited.json", "../broken.json", "../deep.json"] {
        let said = place.ends(16, &format!("stem erase run {plan}"));
        assert!(said.contains("not a plan"), "{said}");
    }
    let other = with_history();
    let theirs = place.top().join("plan.json");
    other.ends(16, &format!("stem erase run {}", theirs.display()));
    place.must(&format!("stem erase run ../plan.json && stem erase verify {id}"));
}

#[test]
fn a_plan_is_out_of_date_once_what_it_is_about_has_changed() {
    for change in [
        "stem branch -q elsewhere v1",
        "stem cat v1:secret.txt > s2.txt && stem add -q -A && stem commit -q -m again",
        // A new file takes up chunks that the plan takes for nobody else's.
        "(stem cat v1:secret.txt; seq 5) > half.txt && stem add -q -A && stem commit -q -m half",
    ] {
        let place = with_history();
        let id = place.plan("--path secret.txt");
        place.must(change);
        let said = place.ends(16, &format!("stem erase run {id}"));
        assert!(said.contains("out of date"), "{said}");
        place.must("stem fsck --read-data && stem cat v1:secret.txt > /dev/null");
    }
    // What has nothing to do with it does not matter.
    let place = with_history();
    let id = place.plan("--path secret.txt");
    place.must("echo b > b.txt && stem add -q b.txt && stem commit -q -m b");
    let said = place.ends(16, &format!("stem erase run {id}"));
    assert!(said.contains("branch"), "main leads to it, and has moved: {said}");
}

/// A copy that was erased itself is refused while it can still be planned otherwise.
#[test]
fn records_do_not_go_where_what_is_left_was_erased() {
    let place = with_history();
    place.must(
        "echo '{\"a\":1}' > one.jsonl && (cat one.jsonl; echo '{\"b\":2}') > two.jsonl
         stem add -q -A && stem commit -q -m tables",
    );
    place.erase("--path one.jsonl");
    let said = place.ends(19, "stem erase plan --key b=2 --reason x");
    assert!(said.contains("erased"), "{said}");
    place.must("stem cat HEAD:two.jsonl > two.jsonl && stem fsck --read-data");
}

/// A plan of a build of before says which files the files become, and not which chunks.
#[test]
fn a_plan_that_says_otherwise_what_files_become_is_not_run() {
    let place = with_history();
    place.must("seq 9 | sed 's/.*/{\"a\":&}/' > t.jsonl && stem add -q -A && stem commit -q -m t");
    let id = place.plan("--key a=7");
    let plans = place.store().join("plans");
    let new = std::fs::read_to_string(plans.join(format!("{id}.json"))).unwrap();
    let old = new.replace("\"by_chunks\"", "\"by\"");
    assert_ne!(old, new);
    let old_id = FileId::of(old.as_bytes()).to_hex();
    std::fs::write(plans.join(format!("{old_id}.json")), &old).unwrap();
    std::fs::copy(plans.join(format!("{id}.wanted")), plans.join(format!("{old_id}.wanted")))
        .unwrap();
    let said = place.ends(16, &format!("stem erase run {old_id}"));
    assert!(said.contains("build of before") && said.contains("stem erase plan"), "{said}");
    place.must(&format!("stem cat HEAD:t.jsonl | grep -q 7 && stem erase run {id}"));
    place.must("! stem cat HEAD:t.jsonl | grep -q 7");
}

fn release(place: &Place) {
    let id = "stem hold list --json | grep -o '\"id\":\"[^\"]*\"' | cut -d'\"' -f4";
    place.must(&format!("stem hold release $({id}) --reason over"));
}

/// However it is held, and whether all paths of it are known or not.
#[test]
fn every_kind_of_hold_is_found_by_a_plan_and_no_other() {
    let place = with_history();
    // A path that is shown escaped, and a file of more paths than a plan names.
    place.must("for n in {1..25}; do cp small.txt many$n.txt; done; printf x > $'tab\\there'");
    place.must("stem add -q -A && stem commit -q -m more");
    let file = place
        .must("stem ls -l v1 --json")
        .split("secret.txt")
        .nth(1)
        .map(|rest| rest.split("\"file\":\"").nth(1).expect("an id")[..64].to_owned());
    let file = file.expect("the file is listed");
    for (target, path, held) in [
        ("data", "secret.txt", true),
        ("data:secret.txt", "secret.txt", true),
        ("data:*.txt", "secret.txt", true),
        ("data:keep.txt", "secret.txt", false),
        ("data@v1", "secret.txt", true),
        ("data@v1:secret.txt", "secret.txt", true),
        ("data@v1:small.txt", "secret.txt", false),
        // The last version does not list it any more.
        ("data@main", "secret.txt", false),
        (&file, "secret.txt", true),
        (&file, "keep.txt", false),
        ("data:many25.txt", "many1.txt", true),
        ("data:many25.txt", "keep.txt", false),
        ("data:tab*", "tab*", true),
        ("data:$'tab\\there'", "tab*", true),
    ] {
        place.must(&format!("stem hold place {target} --case C-1 --reason court"));
        let plan = place.must(&format!("stem erase plan -n --path '{path}' --reason x --json"));
        let plan: serde_json::Value = serde_json::from_str(&plan).expect("JSON");
        let found = plan["data"]["holds"].as_array().expect("a list").len();
        assert_eq!(found, usize::from(held), "{target} and {path}");
        release(&place);
    }
}

#[test]
fn holds_and_approvals_are_waited_for() {
    let place = with_history();
    let id = place.plan("--path secret.txt --approvals 2");
    place.must("stem hold place data:secret.txt --case C-1 --reason court");
    let said = place.ends(15, &format!("stem erase run {id}"));
    assert!(said.contains("C-1"), "{said}");
    release(&place);
    place.ends(16, &format!("stem erase run {id}"));
    place.ends(12, &format!("stem erase approve {id}"));
    let mut keys = Vec::new();
    for name in ["Bob <b@x.org>", "Cid <c@x.org>"] {
        let script =
            "stem key generate --json | grep -o '\"id\":\"[^\"]*\"' | head -1 | cut -d'\"' -f4";
        let made = place.run_as(name, script);
        let key = String::from_utf8_lossy(&made.stdout).trim().to_owned();
        let trust = format!("stem key trust ../.config/stem/keys/{key}.pub --role approver");
        let done = place.run_as(name, &trust);
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        keys.push(key);
    }
    let first = place.must("ls -t ../.config/stem/keys/*.key | tail -1").trim().to_owned();
    let run = format!("stem erase run {id} --key {first}");
    place.must(&format!(
        "stem erase approve {id} --key {} && stem erase approve {id} --key {}",
        keys[0], keys[0]
    ));
    let said = place.ends(16, &run);
    assert!(said.contains("has 1"), "one key counts once: {said}");
    place.must(&format!("stem erase approve {id} --key {} --valid 0s", keys[1]));
    place.ends(16, &run);
    place.must(&format!("stem erase approve {id} --key {}", keys[1]));
    place.must(&run);
    let key = format!("{}.pub", first.trim_end_matches(".key"));
    place.must(&format!("stem certificate verify {id} --key {key}"));
}

/// What would keep a plan from being carried out keeps a dry run from it, with the same exit code.
#[test]
fn a_dry_run_of_a_plan_says_what_it_would_come_to() {
    let place = with_history();
    let id = place.plan("--path secret.txt --approvals 1");
    place.must("stem hold place data:secret.txt --case C-1 --reason court");
    place.ends(15, &format!("stem erase run -n {id}"));
    release(&place);
    place.ends(16, &format!("stem erase run -n {id}"));
    place.ends(12, &format!("stem erase approve -n {id}"));
    let id = place.plan("--path secret.txt");
    let erased = |flag: &str| {
        let said = place.must(&format!("stem erase run {flag} {id} --json"));
        let said: serde_json::Value = serde_json::from_str(&said).expect("JSON");
        assert_eq!(said["data"]["dry_run"], !flag.is_empty());
        (said["data"]["erased"].clone(), said["data"]["certificate"].clone())
    };
    let foreseen = erased("-n");
    place.must("stem cat v1:secret.txt > /dev/null");
    assert_eq!(foreseen, erased(""), "it came to what was foreseen");
    assert_eq!(foreseen, erased("-n"), "and would go on to the same");
    let gone = place.plan("--path keep.txt");
    place.must("stem branch -q elsewhere v1");
    place.ends(16, &format!("stem erase run -n {gone}"));
}

#[test]
fn the_policy_says_by_how_many_keys_a_plan_must_be_approved() {
    let place = with_history();
    let early = place.plan("--path secret.txt");
    let policy = "[[approval]]\non = [\"erase\"]\nkeys = 1\n[[approval]]\ndatasets = [\"other\"]\nkeys = 3\n\
                  [[approval]]\non = [\"retire\"]\nkeys = 2\n";
    std::fs::write(place.top().join("policy.toml"), policy).unwrap();
    place.must("stem policy set ../policy.toml");
    let said = place.must("stem policy explain");
    assert!(said.contains("an erasure is approved by 1 keys"), "{said}");
    // One that was made before has fewer than are asked for now.
    let said = place.ends(16, &format!("stem erase run {early}"));
    assert!(said.contains("1 approvals are asked for now"), "{said}");
    let json = place.must("stem erase plan --path secret.txt --reason x --json");
    let plan: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(plan["data"]["approvals"], 1, "{json}");
    let id = plan["data"]["plan"].as_str().unwrap();
    let said = place.ends(16, &format!("stem erase run {id}"));
    assert!(said.contains("has 0"), "{said}");
    let more = place.must("stem erase plan --path secret.txt --reason x --approvals 5 --json");
    assert!(more.contains("\"approvals\":5"), "more than the policy asks for may be asked for");
    place.must("stem classify data auxiliary --reason old --reviewer ann");
    let retire =
        place.must("stem retire plan data --core-to ../core --aux keep --reason over --json");
    let retire: serde_json::Value = serde_json::from_str(&retire).unwrap();
    assert_eq!(retire["data"]["approvals"], 2);
    place.ends(16, &format!("stem retire run {}", retire["data"]["plan"].as_str().unwrap()));
    for wrong in
        ["keys = 0", "keys = 1\non = []", "keys = 1\non = [\"delete\"]", "on = [\"erase\"]"]
    {
        std::fs::write(place.top().join("wrong.toml"), format!("[[approval]]\n{wrong}\n")).unwrap();
        place.ends(2, "stem policy set ../wrong.toml");
    }
    // Approved by somebody else, it runs.
    let script =
        "stem key generate --json | grep -o '\"id\":\"[^\"]*\"' | head -1 | cut -d'\"' -f4";
    let own = place.must("ls ../.config/stem/keys | grep key$ | cut -d. -f1").trim().to_owned();
    let made = place.run_as("Bob <b@x.org>", script);
    let key = String::from_utf8_lossy(&made.stdout).trim().to_owned();
    let trust = format!("stem key trust ../.config/stem/keys/{key}.pub --role approver");
    assert!(place.run_as("Bob <b@x.org>", &trust).status.success());
    place.must(&format!("stem erase approve {id} --key {key} && stem erase run {id} --key {own}"));
    let shown = place.must(&format!("stem certificate show {id} --json"));
    assert!(shown.contains("\"approvals_needed\":1"), "{shown}");
}

/// Somebody puts it there between the look at the worktree and the reading, which of many files may be
/// minutes.
#[test]
fn a_big_file_that_has_become_what_was_erased_since_it_was_seen_is_refused() {
    let place = with_history();
    let make = "head -c 9000001 /dev/zero | tr '\\0' x > big";
    place.must(&format!("{make} && stem add big && stem commit -m big"));
    place.erase("--path big");
    place.must(make);
    let environment = Environment {
        author: Some("Ann Example <ann@example.org>".parse().unwrap()),
        ..Environment::default()
    };
    let repository = Repository::open_to_write(&place.data(), environment).unwrap();
    let root = Root::open(&place.data()).unwrap();
    let path = RepoPath::new("big").unwrap();
    let now = root.stat(&path).unwrap().unwrap();
    let stat = Stat { size: now.size - 1, ..now };
    let failed = repository.transact("add", "data", None, |session| {
        let mut wanted = FileList::default();
        wanted.push(&Found { path: path.clone(), stat, known: None });
        let failed = ingest(session, &root, wanted, &mut |_, _| Ok(()))?;
        Ok((Transaction::default(), failed))
    });
    let failed = failed.unwrap();
    let said: Vec<_> = failed.iter().map(|one| one.error.to_string()).collect();
    assert!(said.len() == 1 && said[0].contains("erased"), "{said:?}");
    drop(repository);
    place.ends(19, "stem add big");
}
