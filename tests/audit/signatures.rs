//! Keys, and signatures of versions and tags.

use std::os::unix::fs::PermissionsExt;

use serde_json::Value;

use crate::place::{ANN, Place, outside, put};

fn verdicts(place: &Place, revision: &str) -> (i32, Vec<String>) {
    let (exit, data) = place.json(&["key", "verify", revision]);
    let signatures = data["signatures"].as_array().unwrap();
    (exit, signatures.iter().map(|one| one["verdict"].as_str().unwrap().to_owned()).collect())
}

#[test]
fn a_version_without_a_signature_is_refused_where_one_is_required() {
    let place = Place::new();
    place.commit("unsigned");
    place.fails(1, &["key", "verify"]);
    place.fails(12, &["key", "verify", "--require"]);
    place.fails(10, &["key", "verify", "nothing", "--require"]);
    place.fails(2, &["log", "--require"]);
}

#[test]
fn a_signature_is_untrusted_then_good_then_revoked() {
    let place = Place::new();
    let id = place.make_key();
    let version = place.commit_with("signed", &["-S"]);
    let unsigned = place.commit("unsigned");
    assert_eq!(verdicts(&place, &version), (1, vec!["untrusted".into()]));
    assert_eq!(verdicts(&place, &unsigned), (1, vec![]));
    place.ok(&["key", "trust", &id, "--role", "approver"]);
    assert_eq!(verdicts(&place, &version).1, ["untrusted"], "not for versions");
    place.ok(&["key", "trust", &id, "--identity", "Bo <bo@example.org>"]);
    assert_eq!(verdicts(&place, &version).1, ["untrusted"], "of somebody else");
    place.ok(&["key", "trust", &id]);
    assert_eq!(verdicts(&place, &version), (0, vec!["good".into()]));
    place.fails(2, &["key", "trust", &id]);
    let shown = place.json(&["show", &version]).1;
    assert_eq!(shown["signatures"][0]["verdict"], "good");
    assert_eq!(shown["signatures"][0]["identity"], ANN);
    place.ok(&["key", "revoke", &id, "--reason", "lost"]);
    let said = place.fails(10, &["key", "revoke", &id, "--reason", "lost"]);
    assert!(said.contains("was revoked before"), "{said}");
    let late = place.commit_with("late", &["-S"]);
    let status = |version: &str| place.json(&["key", "verify", version]).1["signatures"][0].clone();
    assert_eq!(status(&version)["verdict"], "revoked");
    assert_eq!(status(&version)["before_revocation"], true);
    assert_eq!(status(&late)["before_revocation"], false);
    place.ok(&["key", "trust", &id]);
    assert_eq!(verdicts(&place, &version), (0, vec!["good".into()]));
    let keys = place.json(&["key", "list"]).1["keys"].clone();
    assert_eq!((keys.as_array().unwrap().len(), &keys[0]["revoked"]), (1, &Value::Null));
    let log = place.json(&["audit", "log", "--action", "key-revoke"]).1;
    assert_eq!(log["entries"][0]["subject"], id.as_str());
}

#[test]
fn a_signature_of_another_version_is_bad() {
    let (place, _) = Place::with_key();
    let first = place.commit_with("first", &["-S"]);
    let second = place.commit("second");
    place.shell(&format!(
        "UPDATE record SET version = '{second}' WHERE kind = 'signature' AND version = '{first}'"
    ));
    let (exit, data) = place.json(&["key", "verify", &second]);
    assert_eq!((exit, &data["signatures"][0]["verdict"]), (1, &"bad".into()), "{data}");
    let problem = data["signatures"][0]["problem"].as_str().unwrap();
    assert!(problem.contains(&first), "{problem}");
    // One bad signature is enough to doubt it.
    place.shell("UPDATE record SET body = replace(body, '2026', '2025') WHERE kind = 'signature'");
    assert_eq!(verdicts(&place, &second), (1, vec!["bad".into()]));
    place.shell("UPDATE record SET body = '{}' WHERE kind = 'signature'");
    assert_eq!(verdicts(&place, &second), (1, vec!["bad".into()]));
}

#[test]
fn ssh_keygen_accepts_what_is_signed_and_refuses_what_is_changed() {
    let (place, id) = Place::with_key();
    let version = place.commit_with("signed", &["-S"]);
    place.ok(&["tag", "-s", "-m", "the first", "v1"]);
    let directory = place.path("signatures").to_str().unwrap().to_owned();
    let seen = place.json(&["key", "verify", &version, "-o", &directory]).1;
    let written: Vec<_> =
        seen["written"].as_array().unwrap().iter().map(|path| path.as_str().unwrap()).collect();
    assert_eq!(written.len(), 4);
    let signers = place.path("allowed").to_str().unwrap().to_owned();
    put(signers.as_ref(), place.ok(&["key", "export", &id, "--allowed-signers"]).as_bytes());
    for pair in written.chunks(2) {
        let statement = std::fs::read(pair[0]).unwrap();
        let check = |input: &[u8], who: &str, namespace: &str| {
            let arguments =
                ["-Y", "verify", "-f", &signers, "-I", who, "-n", namespace, "-s", pair[1]];
            outside("ssh-keygen", &arguments, input).map(|output| output.status.success())
        };
        let Some(good) = check(&statement, "ann@example.org", "stemmata") else { return };
        assert!(good, "{}", String::from_utf8_lossy(&statement));
        assert_eq!(check(&statement[1..], "ann@example.org", "stemmata"), Some(false));
        assert_eq!(check(&statement, "bo@example.org", "stemmata"), Some(false));
        assert_eq!(check(&statement, "ann@example.org", "git"), Some(false));
    }
}

#[test]
fn a_key_of_ssh_keygen_signs_here() {
    let place = Place::new();
    let path = place.path("id").to_str().unwrap().to_owned();
    let arguments = ["-q", "-t", "ed25519", "-N", "", "-C", ANN, "-f", &path];
    if outside("ssh-keygen", &arguments, b"").is_none() {
        return;
    }
    let version = place.commit_with("signed", &["--key", &path]);
    place.ok(&["key", "trust", &format!("{path}.pub")]);
    assert_eq!(verdicts(&place, &version), (0, vec!["good".into()]));
    place.ok(&["config", "set", "user.signingkey", &path]);
    let version = place.commit_with("again", &["-S"]);
    assert_eq!(verdicts(&place, &version), (0, vec!["good".into()]));
    // A path in the settings is seen from the worktree's top, not from where the program works.
    place.ok(&["config", "set", "user.signingkey", "../id"]);
    std::fs::create_dir(place.work().join("deep")).unwrap();
    place.ok(&["-C", "deep", "commit", "--allow-empty", "-m", "deep", "-S"]);
    place.ok(&["-C", "deep", "commit", "--allow-empty", "-m", "deep", "--key", "../../id"]);
    assert_eq!(verdicts(&place, "HEAD"), (0, vec!["good".into()]));
    // Ours in return is one that ssh-keygen reads.
    let id = place.make_key();
    let ours = place.path("keys").join(format!("{id}.key"));
    let read = outside("ssh-keygen", &["-y", "-f", ours.to_str().unwrap()], b"").unwrap();
    let line = place.ok(&["key", "export", &id, "--ssh"]);
    assert_eq!(String::from_utf8(read.stdout).unwrap(), line);
}

#[test]
fn without_a_key_that_may_be_used_nothing_is_recorded() {
    let place = Place::new();
    place.commit("first");
    let number = |place: &Place| place.json(&["audit", "verify"]).1["entries"].clone();
    put(&place.work().join("file"), b"changed");
    place.ok(&["add", "file"]);
    let before = number(&place);
    place.fails(12, &["commit", "-m", "x", "-S"]);
    place.fails(12, &["tag", "-s", "v1"]);
    place.fails(12, &["audit", "checkpoint"]);
    let id = place.make_key();
    let file = place.path("keys").join(format!("{id}.key"));
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    let said = place.fails(12, &["commit", "-m", "x", "-S"]);
    assert!(said.contains("644"), "{said}");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    place.make_key();
    let said = place.fails(12, &["commit", "-m", "x", "-S"]);
    assert!(said.contains("several"), "{said}");
    put(&file, b"-----BEGIN OPENSSH PRIVATE KEY-----\n");
    place.fails(12, &["commit", "-m", "x", "-S", "--key", &id]);
    place.fails(12, &["commit", "-m", "x", "-S", "--key", "nowhere"]);
    assert_eq!(number(&place), before);
    let said = place.json(&["commit", "-m", "x"]).1;
    assert_eq!(said["signed_by"], Value::Null);
}

#[test]
fn where_the_settings_say_so_every_new_version_is_signed() {
    let (place, id) = Place::with_key();
    place.ok(&["config", "set", "commit.sign", "true"]);
    place.fails(2, &["config", "set", "commit.sign", "yes"]);
    let first = place.commit("first");
    assert_eq!(verdicts(&place, &first), (0, vec!["good".into()]));
    place.ok(&["switch", "-b", "side"]);
    put(&place.work().join("other"), b"side");
    place.ok(&["add", "other"]);
    place.ok(&["commit", "-m", "side"]);
    place.ok(&["switch", "main"]);
    place.commit("main");
    place.ok(&["merge", "side"]);
    place.ok(&["rollback", "main", &first, "-m", "bad batch"]);
    place.ok(&["rollback", "side", &first, "-m", "bad batch"]);
    place.ok(&["log", "--all", "--show-signature", "--require"]);
    let all = place.json(&["log", "--all", "--show-signature"]).1;
    assert!(all["versions"].as_array().unwrap().len() >= 6);
    for version in all["versions"].as_array().unwrap() {
        assert_eq!(version["signatures"][0]["key"], id.as_str(), "{version}");
    }
    place.commit_with("not this one", &["--no-sign"]);
    place.fails(12, &["log", "--show-signature", "--require"]);
    place.ok(&["undo"]);
    place.ok(&["log", "--show-signature", "--require"]);
    // A key that is gone keeps files from being touched.
    std::fs::rename(place.path("keys"), place.path("gone")).unwrap();
    place.fails(12, &["rollback", "main", "HEAD~1", "-m", "again", "--force"]);
    let (_, status) = place.json(&["status"]);
    assert_eq!(status["changed"].as_array().unwrap().len(), 0, "{status}");
}

#[test]
fn a_tag_is_signed_with_its_name_and_its_words() {
    let (place, _) = Place::with_key();
    let version = place.commit("first");
    place.ok(&["tag", "-s", "-m", "ready", "v1"]);
    let (exit, data) = place.json(&["key", "verify", "v1"]);
    assert_eq!((exit, &data["signatures"][0]["tag"]), (0, &"v1".into()), "{data}");
    let statement = data["signatures"][0]["statement"].as_str().unwrap();
    let statement: Value = serde_json::from_str(statement).unwrap();
    assert_eq!(statement["type"], "stem.tag/1");
    assert_eq!(statement["message"], "ready");
    assert_eq!(statement["version"], version.as_str());
    place
        .shell("UPDATE record SET body = replace(body, 'ready', 'reedy') WHERE kind = 'signature'");
    assert_eq!(verdicts(&place, "v1"), (1, vec!["bad".into()]));
}

#[test]
fn keys_are_told_apart_and_refused_where_they_are_none() {
    let place = Place::new();
    let id = place.make_key();
    assert!(!place.ok(&["key", "export", &id]).contains("PRIVATE"));
    place.fails(10, &["key", "export", "0000000000000000"]);
    place.fails(2, &["key", "export", "xyz"]);
    place.fails(10, &["key", "trust", "nowhere"]);
    place.fails(12, &["key", "trust", "ssh-rsa AAAA x"]);
    place.fails(12, &["key", "trust", "ssh-ed25519 AAAA x"]);
    let line = place.ok(&["key", "export", &id]);
    let bare: Vec<_> = line.split(' ').take(2).collect();
    let said = place.fails(2, &["key", "trust", &bare.join(" ")]);
    assert!(said.contains("--identity"), "{said}");
    place.fails(2, &["key", "trust", line.trim(), "--role", "owner"]);
    place.fails(2, &["key", "trust", line.trim(), "--identity", "nobody"]);
    let before = place.json(&["audit", "verify"]).1;
    place.ok(&["key", "trust", line.trim(), "-n"]);
    place.ok(&["key", "generate", "-n"]);
    assert_eq!(place.json(&["audit", "verify"]).1, before);
    assert_eq!(place.json(&["key", "list"]).1["keys"].as_array().unwrap().len(), 1);
    let mut nowhere = place.command(&["key", "generate"]);
    nowhere.env_remove("STEM_KEYS").env_remove("HOME").env_remove("XDG_CONFIG_HOME");
    assert_eq!(nowhere.output().unwrap().status.code(), Some(12));
}
