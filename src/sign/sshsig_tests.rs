//! A key and a signature that OpenSSH 9.2 made, and what is refused.

use super::*;

/// A key that `ssh-keygen` made for this test; it is used nowhere else.
const KEY: &str = "-----BEGIN OPENSSH PRIVATE KEY-----
b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMwAAAAtzc2gtZW
QyNTUxOQAAACAEisU5iKFkwQlKq4H57ZlZRijhxcvMz2vRJa42yUKplAAAAJBbVA0/W1QN
PwAAAAtzc2gtZWQyNTUxOQAAACAEisU5iKFkwQlKq4H57ZlZRijhxcvMz2vRJa42yUKplA
AAAEBPMoqLW4sJW0nunSqTAVBqxBfwJTURWhi0LlxnJQh66QSKxTmIoWTBCUqrgfntmVlG
KOHFy8zPa9ElrjbJQqmUAAAACHRlc3Qga2V5AQIDBAU=
-----END OPENSSH PRIVATE KEY-----
";
const PUBLIC: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIASKxTmIoWTBCUqrgfntmVlGKOHFy8zPa9ElrjbJQqmU test key";
const SIGNATURE: &str = "-----BEGIN SSH SIGNATURE-----
U1NIU0lHAAAAAQAAADMAAAALc3NoLWVkMjU1MTkAAAAgBIrFOYihZMEJSquB+e2ZWUYo4c
XLzM9r0SWuNslCqZQAAAAIc3RlbW1hdGEAAAAAAAAABnNoYTUxMgAAAFMAAAALc3NoLWVk
MjU1MTkAAABA6a/1NP+qj8dUAMDEzUGZ0G/wJe7jaOeCo5eqoGxmEnvIIHiATaMx7iGzAT
1OkGdEAmyStyk+sTy1PpyCVdZtAQ==
-----END SSH SIGNATURE-----
";
/// The beginning of a key that has a passphrase.
const LOCKED: &str = "-----BEGIN OPENSSH PRIVATE KEY-----
b3BlbnNzaC1rZXktdjEAAAAACmFlczI1Ni1jdHIAAAAGYmNyeXB0AAAAGAAAABCOvwv8i/
IPj/0meduMeBKKAAAAEAAAAAEAAAAzAAAAC3NzaC1lZDI1NTE5AAAA
-----END OPENSSH PRIVATE KEY-----
";

#[test]
fn a_key_that_openssh_made_is_read() {
    let (key, comment) = SecretKey::from_text(KEY).unwrap();
    assert_eq!(comment, "test key");
    assert_eq!(key.public().to_ssh_line(&comment), PUBLIC);
    assert_eq!(PublicKey::from_line(PUBLIC).unwrap(), (key.public(), comment));
    let (again, _) = SecretKey::from_text(&key.to_text("x")).unwrap();
    assert_eq!(again.public(), key.public());
}

#[test]
fn a_key_with_a_passphrase_is_refused_and_says_so() {
    let Err(Error::Unsupported { found, .. }) = SecretKey::from_text(LOCKED) else {
        panic!("accepted")
    };
    assert!(found.contains("passphrase"), "{found}");
}

#[test]
fn a_signature_is_byte_for_byte_that_of_openssh() {
    let (key, _) = SecretKey::from_text(KEY).unwrap();
    assert_eq!(sign(&key, NAMESPACE, b"hello\n"), SIGNATURE);
    assert_eq!(verify(SIGNATURE, NAMESPACE, b"hello\n").unwrap(), key.public());
}

#[test]
fn another_message_or_namespace_is_refused() {
    let wrong = verify(SIGNATURE, NAMESPACE, b"hello");
    assert!(matches!(wrong, Err(Error::Wrong { .. })));
    assert!(matches!(verify(SIGNATURE, "git", b"hello\n"), Err(Error::Malformed { .. })));
}

/// Whatever bit of a signature or a key is turned, the signature is refused, or the key is another
/// one or refused. (A comment is not part of a key.)
#[test]
fn no_bit_can_be_turned_unnoticed() {
    let (key, _) = SecretKey::from_text(KEY).unwrap();
    let blob = unarmor(LABEL, SIGNATURE, WHAT).unwrap();
    for at in 0..blob.len() * 8 {
        let mut bytes = blob.clone();
        bytes[at / 8] ^= 1 << (at % 8);
        assert!(verify(&armor(LABEL, &bytes), NAMESPACE, b"hello\n").is_err(), "bit {at}");
    }
    for cut in 0..blob.len() {
        assert!(verify(&armor(LABEL, &blob[..cut]), NAMESPACE, b"hello\n").is_err());
    }
    let label = "OPENSSH PRIVATE KEY";
    let blob = unarmor(label, KEY, WHAT).unwrap();
    for at in 0..blob.len() * 8 {
        let mut bytes = blob.clone();
        bytes[at / 8] ^= 1 << (at % 8);
        if let Ok((other, comment)) = SecretKey::from_text(&armor(label, &bytes)) {
            assert!(other.public() == key.public() && comment != "test key", "bit {at}");
        }
    }
}

#[test]
fn lines_of_other_keys_and_other_lines_are_refused() {
    let rsa = "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQ== x";
    assert!(matches!(PublicKey::from_line(rsa), Err(Error::Unsupported { .. })));
    // The neutral element: a signature by it would fit every message.
    let mut weak = [0; 32];
    weak[0] = 1;
    assert!(PublicKey::from_bytes(&weak).is_err());
    let encoded = PUBLIC.split(' ').nth(1).unwrap();
    for wrong in ["", "ssh-ed25519", "ssh-ed25519 ", "stem-ed25519 AAAA", encoded] {
        assert!(PublicKey::from_line(wrong).is_err(), "{wrong}");
    }
    assert!(PublicKey::from_line(&PUBLIC.replace(' ', "\n")).is_err());
    assert!(PublicKey::from_line(&format!("stem-ed25519 {encoded}")).is_err());
}
