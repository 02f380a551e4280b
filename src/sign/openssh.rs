//! Private keys as OpenSSH writes them (`PROTOCOL.key`, format `openssh-key-v1`), without a passphrase.

use super::error::malformed;
use super::key::SSH_KIND;
use super::wire::{Wire, armor, put, unarmor};
use super::{Error, PublicKey, Result, SecretKey};

const WHAT: &str = "the private key";
const LABEL: &str = "OPENSSH PRIVATE KEY";
const MAGIC: &[u8] = b"openssh-key-v1\0";
/// The private part is a multiple of this many bytes long.
const BLOCK: usize = 8;

pub(super) fn encode(key: &SecretKey, comment: &str) -> String {
    let public = key.public();
    let comment: String = comment.chars().filter(|c| !c.is_control()).collect();
    let mut private = Vec::new();
    // Two equal numbers, by which OpenSSH sees whether a passphrase was right. There is none.
    private.extend_from_slice(&public.as_bytes()[..4]);
    private.extend_from_slice(&public.as_bytes()[..4]);
    put(&mut private, SSH_KIND.as_bytes());
    put(&mut private, public.as_bytes());
    put(&mut private, &[&key.seed()[..], public.as_bytes()].concat());
    put(&mut private, comment.as_bytes());
    for pad in 1..BLOCK as u8 {
        if private.len().is_multiple_of(BLOCK) {
            break;
        }
        private.push(pad);
    }
    let mut whole = MAGIC.to_vec();
    put(&mut whole, b"none");
    put(&mut whole, b"none");
    put(&mut whole, b"");
    whole.extend_from_slice(&1u32.to_be_bytes());
    put(&mut whole, &public.to_ssh_blob());
    put(&mut whole, &private);
    armor(LABEL, &whole)
}

pub(super) fn decode(text: &str) -> Result<(SecretKey, String)> {
    let whole = unarmor(LABEL, text, WHAT)?;
    let mut wire = Wire::new(&whole, WHAT);
    if wire.take(MAGIC.len())? != MAGIC {
        return Err(malformed(WHAT, "it does not begin with `openssh-key-v1`"));
    }
    let cipher = wire.string()?;
    if cipher != b"none" {
        let cipher = String::from_utf8_lossy(cipher).escape_debug().to_string();
        let found = format!("it has a passphrase ({cipher})");
        return Err(Error::Unsupported { what: WHAT, found });
    }
    wire.expect(b"none", "key derivation")?;
    wire.expect(b"", "key derivation's option")?;
    if wire.number()? != 1 {
        return Err(malformed(WHAT, "it is not one key"));
    }
    let public = PublicKey::from_ssh_blob(wire.string()?)?;
    let private = wire.string()?;
    wire.end()?;
    let mut wire = Wire::new(private, WHAT);
    if wire.number()? != wire.number()? {
        return Err(malformed(WHAT, "its two check numbers differ"));
    }
    wire.expect(SSH_KIND.as_bytes(), "kind")?;
    wire.expect(public.as_bytes(), "public part")?;
    let both: [u8; 64] = wire.array("private part")?;
    let comment = String::from_utf8_lossy(wire.string()?).into_owned();
    let padding = wire.rest();
    let padded = padding.iter().zip(1..).all(|(found, expected)| *found == expected);
    if !padded || padding.len() >= BLOCK {
        return Err(malformed(WHAT, "its padding is wrong"));
    }
    let mut seed = [0; 32];
    seed.copy_from_slice(&both[..32]);
    let key = SecretKey::from_seed(&seed);
    if key.public() != public || both[32..] != public.as_bytes()[..] {
        return Err(malformed(WHAT, "its private and its public part are of two keys"));
    }
    Ok((key, comment))
}
