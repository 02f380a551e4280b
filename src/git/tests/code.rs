use std::path::Path;

use super::Sandbox;
use crate::git::code;

#[expect(clippy::disallowed_methods, reason = "a file for the test")]
fn put(path: &Path, text: &str) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

/// What `git status` says: whether tracked files differ, and how many are not tracked.
fn by_git(sandbox: &Sandbox, repository: &Path) -> (bool, u64) {
    let said = sandbox.git(repository, ["status", "--porcelain", "-z", "--untracked-files=all"]);
    let said = String::from_utf8_lossy(&said).into_owned();
    let entries = said.split('\0').filter(|entry| !entry.is_empty());
    let (untracked, tracked): (Vec<_>, Vec<_>) = entries.partition(|entry| entry.starts_with("??"));
    (!tracked.is_empty(), untracked.len() as u64)
}

#[test]
fn the_state_of_the_code_is_what_git_says() {
    let (sandbox, repository) = Sandbox::with_repository("code");
    assert_eq!(code(sandbox.path()).unwrap(), None);
    let unborn = code(&repository).unwrap().unwrap();
    assert_eq!((unborn.commit, unborn.branch.as_deref()), (None, Some("main")));
    put(&repository.join("a"), "one");
    put(&repository.join("d/b"), "two");
    put(&repository.join("gone"), "three");
    put(&repository.join(".gitignore"), "ignored\n*.tmp\n");
    sandbox.git(&repository, ["add", "-A"]);
    sandbox.git(&repository, ["commit", "-q", "-m", "one"]);
    let head = sandbox.text(&repository, ["rev-parse", "HEAD"]);
    let check = |what: &str, expected: (bool, u64)| {
        assert_eq!(by_git(&sandbox, &repository), expected, "git: {what}");
        for directory in [repository.clone(), repository.join("d")] {
            let found = code(&directory).unwrap().unwrap();
            assert_eq!((found.dirty, found.untracked), expected, "{what}");
            assert_eq!(found.commit.as_deref(), Some(head.as_str()));
        }
    };
    check("clean", (false, 0));
    put(&repository.join("ignored/x"), "");
    put(&repository.join("x.tmp"), "");
    check("ignored files", (false, 0));
    put(&repository.join("new"), "");
    put(&repository.join("more/one"), "");
    put(&repository.join("more/two"), "");
    check("untracked files", (false, 3));
    // The same content written again is no change.
    put(&repository.join("a"), "one");
    check("touched", (false, 3));
    put(&repository.join("a"), "other");
    check("modified", (true, 3));
    sandbox.git(&repository, ["checkout", "-q", "a"]);
    sandbox.git(&repository, ["add", "new"]);
    check("added", (true, 2));
    sandbox.git(&repository, ["rm", "-q", "--cached", "new"]);
    std::fs::remove_file(repository.join("gone")).unwrap();
    check("deleted", (true, 3));
    sandbox.git(&repository, ["checkout", "-q", "gone"]);
    sandbox.git(&repository, ["checkout", "-q", "--detach"]);
    check("detached", (false, 3));
    assert_eq!(code(&repository).unwrap().unwrap().branch, None);
}

#[test]
fn a_remote_is_named_without_its_password() {
    let (sandbox, repository) = Sandbox::with_repository("code");
    let remote = || code(&repository).unwrap().unwrap().remote;
    assert_eq!(remote(), None);
    let url = "https://ann:word@host.org/a.git";
    sandbox.git(&repository, ["remote", "add", "origin", url]);
    assert_eq!(remote().as_deref(), Some("https://host.org/a.git"));
    sandbox.git(&repository, ["remote", "add", "fork", "git@host.org:b.git"]);
    sandbox.git(&repository, ["config", "branch.main.remote", "fork"]);
    assert_eq!(remote().as_deref(), Some("git@host.org:b.git"));
}

#[test]
fn no_filter_of_a_repository_is_run() {
    let (sandbox, repository) = Sandbox::with_repository("code");
    let mark = sandbox.path().join("ran");
    put(&repository.join(".gitattributes"), "*.x filter=planted\n");
    put(&repository.join("a.x"), "one");
    sandbox.git(&repository, ["add", "-A"]);
    sandbox.git(&repository, ["commit", "-q", "-m", "one"]);
    let command = format!("sh -c 'touch {}; cat'", mark.display());
    for kind in ["clean", "smudge", "process"] {
        sandbox.git(&repository, ["config", &format!("filter.planted.{kind}"), &command]);
    }
    sandbox.git(&repository, ["config", "filter.planted.required", "true"]);
    put(&repository.join("a.x"), "two");
    assert!(code(&repository).unwrap().unwrap().dirty);
    assert!(!mark.exists(), "a filter was run");
    // The trap is a real one.
    sandbox.git(&repository, ["config", "--unset", "filter.planted.process"]);
    sandbox.git(&repository, ["add", "a.x"]);
    assert!(mark.exists());
}

#[test]
fn a_bare_repository_has_no_changes() {
    let sandbox = Sandbox::new();
    sandbox.git(sandbox.path(), ["init", "-q", "--bare", "bare"]);
    let found = code(&sandbox.path().join("bare")).unwrap().unwrap();
    assert_eq!((found.dirty, found.untracked), (false, 0));
}
