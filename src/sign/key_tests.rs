//! Keys and their names.

use super::*;

#[test]
fn a_key_is_that_of_rfc_8032_and_signs_as_it_says() {
    // Section 7.1, test 1.
    let seed = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";
    let public = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
    let signature = "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555\
                     fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b";
    let key = SecretKey::from_seed(&bytes(seed));
    assert_eq!(key.public().as_bytes(), &bytes::<32>(public));
    assert_eq!(key.sign(b""), bytes::<64>(signature));
    assert!(key.public().has_signed(b"", &key.sign(b"")));
    assert!(!key.public().has_signed(b"x", &key.sign(b"")));
}

fn bytes<const N: usize>(hex: &str) -> [u8; N] {
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(hex.as_bytes().chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    }
    bytes
}

#[test]
fn the_id_is_the_beginning_of_the_sha_256_of_the_key() {
    let public = SecretKey::from_seed(&[1; 32]).public();
    let digest = Sha256::digest(public.as_bytes());
    let hex: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(public.id().to_string(), hex);
    assert_eq!(hex.parse::<KeyId>().unwrap(), public.id());
    for wrong in ["", "12", "+123456789abcde0", &hex.to_uppercase(), &format!("{hex}0")] {
        if *wrong != hex {
            assert!(wrong.parse::<KeyId>().is_err(), "{wrong}");
        }
    }
}

#[test]
fn a_line_reads_back_in_both_forms() {
    let key = SecretKey::from_seed(&[9; 32]).public();
    for line in [key.to_line("Ann <ann@example.org>"), key.to_ssh_line("Ann <ann@example.org>")] {
        let (read, comment) = PublicKey::from_line(&format!("{line}\n")).unwrap();
        assert_eq!((read, comment.as_str()), (key, "Ann <ann@example.org>"));
    }
    assert_eq!(PublicKey::from_line(&key.to_line("")).unwrap().1, "");
    assert_eq!(key.to_line("a\nb"), key.to_line("ab"), "a comment cannot end the line");
}

#[test]
fn two_generated_keys_differ_and_are_not_printed() {
    let (a, b) = (SecretKey::generate().unwrap(), SecretKey::generate().unwrap());
    assert_ne!(a.public(), b.public());
    assert_eq!(format!("{a:?}"), format!("SecretKey(of {})", a.public().id()));
}
