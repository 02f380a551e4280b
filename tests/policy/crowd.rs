//! Many at once.

use super::place::{Bench, answer, verdicts};

/// 32 commits at once from 32 worktrees, every other against the rules.
#[test]
fn each_of_32_commits_at_once_gets_its_own_verdict() {
    let bench = Bench::new();
    let store = bench.data().join(".stem/store");
    bench.set_policy("[[rule]]\nname = \"words\"\nmin_message_length = 10\n");
    let trees: Vec<_> = (0..32)
        .map(|number| {
            let tree = bench.directory.path().join(format!("tree{number}"));
            let (tree_text, store) = (tree.to_str().unwrap(), store.to_str().unwrap());
            bench.must(&["init", tree_text, "--store", store, "--dataset", &format!("d{number}")]);
            super::place::put(&tree.join("file"), &format!("{number}\n"));
            bench.must(&["-C", tree_text, "add", "file"]);
            tree
        })
        .collect();
    let codes: Vec<i32> = std::thread::scope(|scope| {
        let commits: Vec<_> = (0..)
            .zip(&trees)
            .map(|(number, tree)| {
                let mut command = bench.command();
                let message = if number % 2 == 0 { "long enough for it" } else { "short" };
                command.current_dir(tree).args(["--json", "commit", "-m", message]);
                scope.spawn(move || answer(&command.output().unwrap()).0)
            })
            .collect();
        commits.into_iter().map(|commit| commit.join().unwrap()).collect()
    });
    let expected: Vec<i32> = (0..32).map(|number| if number % 2 == 0 { 0 } else { 14 }).collect();
    assert_eq!(codes, expected);
    let catalogue = bench.catalogue();
    let rows = verdicts(&catalogue);
    assert_eq!(rows.len(), 32);
    let passed = rows.iter().filter(|row| row.record.body["verdict"] == "pass");
    assert!(passed.clone().all(|row| row.record.version.is_some()));
    assert_eq!(passed.count(), 16);
    assert_eq!(catalogue.all_refs().unwrap().len(), 16);
    assert!(catalogue.verify_journal().unwrap().is_ok());
}

/// Whatever the policy was at the moment of a commit, the verdict names it, and it allowed it.
#[test]
fn a_policy_that_changes_meanwhile_is_asked_again() {
    let bench = Bench::new();
    let strict = bench.directory.path().join("strict.toml");
    let loose = bench.directory.path().join("loose.toml");
    super::place::put(&strict, "[[rule]]\nname = \"strict\"\nmin_message_length = 10\n");
    super::place::put(&loose, "[[rule]]\nname = \"loose\"\nmin_message_length = 1\n");
    let other = bench.directory.path().join("other");
    let store = bench.data().join(".stem/store");
    let (tree, store) = (other.to_str().unwrap(), store.to_str().unwrap());
    bench.must(&["init", tree, "--store", store, "--dataset", "other"]);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for round in 0..12 {
                let file = if round % 2 == 0 { &strict } else { &loose };
                bench.must(&["-C", tree, "policy", "set", file.to_str().unwrap()]);
            }
        });
        for _ in 0..12 {
            let code = bench.stem(&["commit", "--allow-empty", "-m", "short"]).status.code();
            assert!(matches!(code, Some(0 | 14)), "{code:?}");
        }
    });
    let catalogue = bench.catalogue();
    let mut policy = 0;
    let entries = catalogue.journal_before(10_000, 10_000).unwrap();
    let mut numbers: Vec<_> =
        entries.iter().map(|entry| (entry.number, entry.action.clone())).collect();
    numbers.sort_unstable();
    let rows = verdicts(&catalogue);
    for (number, action) in numbers {
        if action == "policy-set" {
            policy = number;
        }
        for row in rows.iter().filter(|row| row.number == number) {
            let passed = row.record.body["verdict"] == "pass";
            if passed {
                assert_eq!(row.record.body["inputs"]["policy_number"], policy, "entry {number}");
                assert_eq!(row.record.name.as_deref(), Some("loose"));
            }
        }
    }
}
