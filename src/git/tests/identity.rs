//! Who the user is, in a process with an environment of its own.

use std::path::Path;
use std::process::Command;

use super::Sandbox;
use crate::git::identity;

const ASK: &str = "STEMMATA_TEST_ASK_IDENTITY";

/// Not a test: what the tests below run in another process.
#[test]
fn child() {
    if let Some(directory) = std::env::var_os(ASK) {
        match identity(Path::new(&directory)).unwrap() {
            Some(author) => println!("answer: {author}"),
            None => println!("answer: nobody"),
        }
    }
}

fn ask(sandbox: &Sandbox, directory: &Path, environment: &[(&str, &str)]) -> String {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "git::tests::identity::child", "--nocapture"]);
    command.env_clear().env("HOME", sandbox.path()).env("GIT_CONFIG_NOSYSTEM", "1");
    command.env(ASK, directory).envs(environment.iter().copied());
    let printed = String::from_utf8(sandbox.run(&mut command, b"")).unwrap();
    let answer = printed.lines().find_map(|line| line.split_once("answer: "));
    answer.unwrap_or_else(|| panic!("{printed}")).1.into()
}

/// What Git says to the same question.
fn ask_git(sandbox: &Sandbox, directory: &Path, environment: &[(&str, &str)]) -> String {
    let mut command = sandbox.command(directory);
    for name in ["GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL"] {
        command.env_remove(name);
    }
    command.args(["var", "GIT_AUTHOR_IDENT"]).envs(environment.iter().copied());
    let printed = String::from_utf8(sandbox.run(&mut command, b"")).unwrap();
    printed.split_once("> ").unwrap().0.to_owned() + ">"
}

#[test]
fn without_any_configuration_there_is_nobody() {
    let sandbox = Sandbox::new();
    assert_eq!(ask(&sandbox, sandbox.path(), &[]), "nobody");
    sandbox.write(&sandbox.path().join(".gitconfig"), b"[user]\nname = Ada\n");
    assert_eq!(ask(&sandbox, sandbox.path(), &[]), "nobody");
}

#[test]
fn the_user_is_who_git_says() {
    let (sandbox, repository) = Sandbox::with_repository("r");
    let elsewhere = sandbox.path().join("elsewhere");
    let below = repository.join("a/b");
    std::fs::create_dir_all(&below).unwrap();
    std::fs::create_dir_all(&elsewhere).unwrap();
    let home = b"[user]\nname = Home\nemail = home@x\n[include]\npath = more\n\
        [includeIf \"gitdir:**/r/\"]\npath = conditional\n";
    sandbox.write(&sandbox.path().join(".gitconfig"), home);
    sandbox.write(&sandbox.path().join("more"), b"[user]\nemail = included@x\n");
    sandbox.write(&sandbox.path().join("conditional"), b"[user]\nemail = conditional@x\n");
    let other = sandbox.path().join("other");
    sandbox.write(&other, b"[user]\nname = \"O'Other \\\"<x>\"\nemail = other@x\n");
    let other = other.to_str().unwrap();
    let check = |environment: &[(&str, &str)]| {
        for directory in [&repository, &below, &elsewhere] {
            let git = ask_git(&sandbox, directory, environment);
            assert_eq!(ask(&sandbox, directory, environment), git, "{directory:?} {environment:?}");
        }
    };
    let environments: [&[(&str, &str)]; 5] = [
        &[],
        &[("GIT_AUTHOR_NAME", "Env"), ("EMAIL", "unused@x")],
        &[("GIT_AUTHOR_EMAIL", "env@x")],
        &[("GIT_CONFIG_GLOBAL", other)],
        &[
            ("GIT_CONFIG_COUNT", "1"),
            ("GIT_CONFIG_KEY_0", "user.name"),
            ("GIT_CONFIG_VALUE_0", "Counted"),
        ],
    ];
    environments.into_iter().for_each(check);
    sandbox.git(&repository, ["config", "user.name", "Local Käse"]);
    environments.into_iter().for_each(check);
    sandbox.git(&repository, ["config", "author.email", "author@x"]);
    environments.into_iter().for_each(check);
}

#[test]
fn a_repository_that_cannot_be_opened_leaves_the_users_own_configuration() {
    let (sandbox, repository) = Sandbox::with_repository("r");
    sandbox.write(&sandbox.path().join(".gitconfig"), b"[user]\nname = A\nemail = a@x\n");
    sandbox.git(&repository, ["config", "core.repositoryFormatVersion", "99"]);
    assert_eq!(ask(&sandbox, &repository, &[]), "A <a@x>");
}

#[test]
fn a_configuration_that_makes_no_sense_is_an_error() {
    let sandbox = Sandbox::new();
    let file = sandbox.path().join("broken");
    sandbox.write(&file, b"[user\nname");
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "git::tests::identity::child"]).env(ASK, sandbox.path());
    let output = command.env("GIT_CONFIG_GLOBAL", &file).output().unwrap();
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stdout).contains("Config {"));
}
