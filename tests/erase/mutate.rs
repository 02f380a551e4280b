//! Changed certificates: forged ones, and ones that the right key has signed and that say something
//! else.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use serde_json::{Value, json};
use stemmata::sign::{SecretKey, dsse};

use super::dice::Dice;
use super::garble::{odd, place, places, repeated, spaced, swap};

pub(crate) const PAYLOAD: &str = "application/vnd.in-toto+json";
const APPROVAL: &str = "application/vnd.stemmata.approval+json";

/// A certificate as it was made.
pub(crate) struct Base {
    pub(crate) envelope: Vec<u8>,
    pub(crate) statement: Value,
}

/// What mutants are made of.
pub(crate) struct Bench {
    /// The second one has two approvers.
    pub(crate) bases: [Base; 2],
    /// The key that has signed the certificates.
    pub(crate) key: SecretKey,
    /// The approvers' keys.
    pub(crate) approvers: Vec<SecretKey>,
    /// Somebody else's.
    pub(crate) other: SecretKey,
}

/// A changed certificate.
pub(crate) struct Mutant {
    pub(crate) class: &'static str,
    pub(crate) bytes: Vec<u8>,
    /// Whether the right key has signed exactly these bytes: then it may hold, if it says nothing
    /// that anybody could refute.
    pub(crate) signed: bool,
}

type Forge = fn(&Bench, &Base, &mut Dice) -> Option<Vec<u8>>;
type Rewrite = fn(&Bench, &Base, &mut Dice) -> Option<String>;

/// Changes of the envelope. Whatever they give, no verifier may take it.
const FORGERIES: &[(&str, Forge)] = &[
    ("bit flipped", |_, base, dice| {
        let mut bytes = base.envelope.clone();
        let at = dice.below(bytes.len());
        bytes[at] ^= 1 << dice.below(8);
        Some(bytes)
    }),
    ("several bytes changed", |_, base, dice| {
        let mut bytes = base.envelope.clone();
        for _ in 0..=dice.below(4) {
            let at = dice.below(bytes.len());
            bytes[at] = dice.next() as u8;
        }
        Some(bytes)
    }),
    ("bytes taken out", |_, base, dice| {
        let mut bytes = base.envelope.clone();
        let at = dice.below(bytes.len());
        let end = (at + 1 + dice.below(9)).min(bytes.len());
        bytes.drain(at..end);
        Some(bytes)
    }),
    ("bytes put in", |_, base, dice| {
        let mut bytes = base.envelope.clone();
        let at = dice.below(bytes.len() + 1);
        let more: Vec<u8> = (0..=dice.below(9)).map(|_| dice.next() as u8).collect();
        bytes.splice(at..at, more);
        Some(bytes)
    }),
    ("cut", |_, base, dice| Some(base.envelope[..dice.below(base.envelope.len())].to_vec())),
    ("something behind it", |_, base, dice| {
        let more = dice.pick(&["\n", " ", "{}", "\0", "]", "\u{feff}", "null"]);
        Some([&base.envelope[..], more.as_bytes()].concat())
    }),
    ("white space in the envelope", |_, base, dice| {
        let text = text_of(base);
        Some(spaced(&text, dice)?.into_bytes())
    }),
    ("member of the envelope repeated", |_, base, dice| {
        Some(repeated(&text_of(base), dice)?.into_bytes())
    }),
    ("member of the envelope added", |_, base, dice| {
        let text = text_of(base);
        let more = dice.pick(&["\"a\":1,", "\"zz\":null,", "\"\":{},", "\"payloadType \":\"x\","]);
        Some(text.replacen('{', &format!("{{{more}"), 1).into_bytes())
    }),
    ("members of the envelope in another order", |_, base, dice| {
        let envelope: Value = serde_json::from_slice(&base.envelope).ok()?;
        let (payload, kind) = (&envelope["payload"], &envelope["payloadType"]);
        let signatures = &envelope["signatures"];
        Some(
            match dice.below(2) {
                0 => format!(
                    "{{\"signatures\":{signatures},\"payloadType\":{kind},\"payload\":{payload}}}"
                ),
                _ => format!(
                    "{{\"payloadType\":{kind},\"payload\":{payload},\"signatures\":{signatures}}}"
                ),
            }
            .into_bytes(),
        )
    }),
    ("string of the envelope escaped", |_, base, dice| {
        let text = text_of(base);
        let letters: Vec<usize> = text
            .char_indices()
            .filter(|(_, one)| one.is_ascii_alphanumeric())
            .map(|(at, _)| at)
            .collect();
        let at = *dice.pick(&letters);
        let code = u32::from(text.as_bytes()[at]);
        Some(format!("{}\\u{code:04x}{}", &text[..at], &text[at + 1..]).into_bytes())
    }),
    ("base64 in another form", |_, base, dice| {
        let mut envelope: Value = serde_json::from_slice(&base.envelope).ok()?;
        let place = dice.pick(&["/payload", "/signatures/0/sig"]);
        let old = envelope.pointer(place)?.as_str()?.to_owned();
        let bytes = STANDARD.decode(&old).ok()?;
        let new = match dice.below(4) {
            0 => URL_SAFE.encode(&bytes),
            1 => old.trim_end_matches('=').to_owned(),
            2 => format!("{}\n{}", &old[..8], &old[8..]),
            _ => format!("{old}="),
        };
        *envelope.pointer_mut(place)? = new.into();
        (!envelope.to_string().eq(&text_of(base))).then(|| envelope.to_string().into_bytes())
    }),
    ("payload changed under the old signature", |_, base, dice| {
        let mut payload = base.statement.to_string().into_bytes();
        let at = dice.below(payload.len());
        payload[at] ^= 1 << dice.below(8);
        Some(with_payload(base, &payload))
    }),
    ("values swapped under the old signature", |_, base, dice| {
        let mut statement = base.statement.clone();
        swap(&mut statement, dice)?;
        Some(with_payload(base, statement.to_string().as_bytes()))
    }),
    ("another payload type", |bench, base, dice| {
        let kind = dice.pick(&[
            "application/json",
            "",
            APPROVAL,
            "application/vnd.in-toto+json ",
            "application/vnd.in-toto",
            "Application/vnd.in-toto+json",
        ]);
        Some(dsse::seal(kind, base.statement.to_string().as_bytes(), &[&bench.key]))
    }),
    ("type of the envelope changed under the old signature", |_, base, dice| {
        let mut envelope: Value = serde_json::from_slice(&base.envelope).ok()?;
        envelope["payloadType"] = (*dice.pick(&["application/json", APPROVAL, ""])).into();
        Some(envelope.to_string().into_bytes())
    }),
    ("signed by another key", |bench, base, dice| {
        let key = if dice.below(2) == 0 { &bench.other } else { &bench.approvers[0] };
        Some(dsse::seal(PAYLOAD, base.statement.to_string().as_bytes(), &[key]))
    }),
    ("signed by another key under the right key's name", |bench, base, _| {
        let forged = dsse::seal(PAYLOAD, base.statement.to_string().as_bytes(), &[&bench.other]);
        let mut envelope: Value = serde_json::from_slice(&forged).ok()?;
        envelope["signatures"][0]["keyid"] = bench.key.public().id().to_string().into();
        Some(envelope.to_string().into_bytes())
    }),
    ("two signatures", |bench, base, dice| {
        let keys = [&bench.other, &bench.key, &bench.approvers[1]];
        let more = dice.pick(&keys);
        dsse::cosign(&base.envelope, more).ok()
    }),
    ("one key twice, for two", |bench, base, _| {
        let twice = [&bench.key, &bench.key];
        Some(dsse::seal(PAYLOAD, base.statement.to_string().as_bytes(), &twice))
    }),
    ("second form of the signature", |_, base, _| {
        let mut envelope: Value = serde_json::from_slice(&base.envelope).ok()?;
        let mut signature = STANDARD.decode(envelope["signatures"][0]["sig"].as_str()?).ok()?;
        add_order(&mut signature[32..])?;
        envelope["signatures"][0]["sig"] = STANDARD.encode(signature).into();
        Some(envelope.to_string().into_bytes())
    }),
    ("name of the key changed or left out", |_, base, dice| {
        let mut envelope: Value = serde_json::from_slice(&base.envelope).ok()?;
        let signature = envelope["signatures"][0].as_object_mut()?;
        match dice.below(3) {
            0 => drop(signature.remove("keyid")),
            1 => drop(signature.insert("keyid".into(), "0000000000000000".into())),
            _ => drop(signature.insert("keyid".into(), Value::Null)),
        }
        Some(envelope.to_string().into_bytes())
    }),
    ("no signature, or one of nothing", |_, base, dice| {
        let mut envelope: Value = serde_json::from_slice(&base.envelope).ok()?;
        match dice.below(3) {
            0 => envelope["signatures"] = json!([]),
            1 => envelope["signatures"][0]["sig"] = "".into(),
            _ => envelope["signatures"][0]["sig"] = STANDARD.encode([0_u8; 64]).into(),
        }
        Some(envelope.to_string().into_bytes())
    }),
    ("signature of another certificate", |bench, base, _| {
        let other = bench.bases.iter().find(|one| one.envelope != base.envelope)?;
        let mut envelope: Value = serde_json::from_slice(&base.envelope).ok()?;
        let theirs: Value = serde_json::from_slice(&other.envelope).ok()?;
        envelope["signatures"] = theirs["signatures"].clone();
        Some(envelope.to_string().into_bytes())
    }),
];

/// Approvals that do not count, in certificates that the right key has signed. No verifier may take
/// them.
const UNAPPROVED: &[(&str, Rewrite)] = &[
    ("threshold met twice by one key", |bench, _, dice| {
        let mut statement = bench.bases[1].statement.clone();
        let approvers = statement["predicate"]["approvers"].as_array_mut()?;
        let (first, second) = if dice.below(2) == 0 { (0, 1) } else { (1, 0) };
        let mut again = approvers[first].clone();
        let key = key_of(bench, again["public"].as_str()?)?;
        match dice.below(4) {
            0 => {}
            1 => again["name"] = "Somebody Else <else@example.org>".into(),
            2 => again["public"] = key.public().to_ssh_line("").into(),
            _ => again["public"] = key.public().to_line("another comment").into(),
        }
        if dice.below(2) == 0 {
            again["envelope"] = approval(&statement["predicate"].clone(), key, |one| {
                one["journal"] = 1.into();
            })
            .into();
        }
        statement["predicate"]["approvers"][second] = again;
        Some(statement.to_string())
    }),
    ("approval of something else", |bench, _, dice| {
        let mut statement = bench.bases[1].statement.clone();
        let (number, what) = (dice.below(2), dice.below(5));
        let key = &bench.approvers[number];
        let number = number_of(&statement, key)?;
        let envelope = approval(&statement["predicate"].clone(), key, |one| match what {
            0 => one["plan"] = "0".repeat(64).into(),
            1 => one["store"] = "1".repeat(64).into(),
            2 => one["expires"] = one["time"].clone(),
            3 => one["time"] = one["expires"].clone(),
            _ => one["more"] = 1.into(),
        });
        statement["predicate"]["approvers"][number]["envelope"] = envelope.into();
        Some(statement.to_string())
    }),
    ("approval signed by somebody else", |bench, _, dice| {
        let mut statement = bench.bases[1].statement.clone();
        let number = dice.below(2);
        let envelope = approval(&statement["predicate"].clone(), &bench.other, |_| {});
        statement["predicate"]["approvers"][number]["envelope"] = envelope.into();
        Some(statement.to_string())
    }),
    ("approved by the requester", |bench, _, dice| {
        let mut statement = bench.bases[1].statement.clone();
        let requester = statement["predicate"]["requester"]["name"].clone();
        statement["predicate"]["approvers"][dice.below(2)]["name"] = requester;
        Some(statement.to_string())
    }),
    ("more approvals needed", |bench, base, dice| {
        let mut statement = base.statement.clone();
        let there = statement["predicate"]["approvers"].as_array()?.len();
        let _ = bench;
        statement["predicate"]["approvals_needed"] = (there + 1 + dice.below(3)).into();
        Some(statement.to_string())
    }),
    ("approved by a weak key", |bench, _, dice| {
        // Of small order: this signature fits every message.
        let mut statement = bench.bases[1].statement.clone();
        let mut public = *dice.pick(&WEAK);
        if dice.below(2) == 0 {
            public[31] |= 0x80;
        }
        let mut identity = [0_u8; 64];
        identity[0] = 1;
        let id = sha256_id(&public);
        let payload = approval_payload(&statement["predicate"], |_| {});
        let envelope = json!({
            "payload": STANDARD.encode(payload), "payloadType": APPROVAL,
            "signatures": [{"keyid": id, "sig": STANDARD.encode(identity)}],
        });
        let public = format!("stem-ed25519 {}", STANDARD.encode(public));
        let weak =
            json!({"name": "W <w@x.org>", "public": public, "envelope": envelope.to_string()});
        statement["predicate"]["approvers"][dice.below(2)] = weak;
        Some(statement.to_string())
    }),
];

/// Statements that say something else, signed by the right key. They may hold only if what they say
/// is bound to nothing.
const REWRITES: &[(&str, Rewrite)] = &[
    ("values swapped", |_, base, dice| {
        let mut statement = base.statement.clone();
        swap(&mut statement, dice)?;
        Some(statement.to_string())
    }),
    ("value replaced", |_, base, dice| {
        let mut statement = base.statement.clone();
        let place = place(&statement, dice);
        *statement.pointer_mut(&place)? = odd(dice);
        Some(statement.to_string())
    }),
    ("number changed a little", |_, base, dice| {
        let mut statement = base.statement.clone();
        let numbers: Vec<String> = places(&statement)
            .into_iter()
            .filter(|place| statement.pointer(place).is_some_and(Value::is_u64))
            .collect();
        let value = statement.pointer_mut(dice.pick::<String>(&numbers))?;
        let old = value.as_u64()?;
        *value = if dice.below(2) == 0 { old + 1 } else { old.saturating_sub(1) }.into();
        Some(statement.to_string())
    }),
    ("number as another text", |_, base, dice| {
        let text = base.statement.to_string();
        let ends: Vec<usize> = text
            .char_indices()
            .zip(text.chars().skip(1))
            .filter(|((_, one), next)| *one == ':' && next.is_ascii_digit())
            .map(|((at, _), _)| at + 1)
            .collect();
        let at = *dice.pick(&ends);
        let length = text[at..].find(|one: char| !one.is_ascii_digit())?;
        let old = &text[at..at + length];
        let new = match dice.below(10) {
            0 => format!("-{old}"),
            1 => format!("{old}.0"),
            2 => format!("{old}e0"),
            3 => format!("0{old}"),
            4 => format!("+{old}"),
            5 => "9007199254740992".into(),
            6 => "1152921504606847000".into(),
            7 => "18446744073709551616".into(),
            8 => "NaN".into(),
            _ => "9".repeat(5000),
        };
        Some(format!("{}{new}{}", &text[..at], &text[at + length..]))
    }),
    ("member left out", |_, base, dice| {
        let mut statement = base.statement.clone();
        let objects: Vec<String> = places(&statement)
            .into_iter()
            .filter(|place| statement.pointer(place).is_some_and(Value::is_object))
            .collect();
        let object = statement.pointer_mut(dice.pick::<String>(&objects))?.as_object_mut()?;
        let names: Vec<String> = object.keys().cloned().collect();
        object.remove(dice.pick(&names));
        Some(statement.to_string())
    }),
    ("member added", |_, base, dice| {
        let mut statement = base.statement.clone();
        let objects: Vec<String> = places(&statement)
            .into_iter()
            .filter(|place| statement.pointer(place).is_some_and(Value::is_object))
            .collect();
        let object = statement.pointer_mut(dice.pick::<String>(&objects))?.as_object_mut()?;
        let name = *dice.pick(&["more", "", "Plan", "plan ", "\u{e9}", "level"]);
        (object.insert(name.into(), odd(dice)).is_none()).then(|| statement.to_string())
    }),
    ("member repeated", |_, base, dice| repeated(&base.statement.to_string(), dice)),
    ("white space", |_, base, dice| spaced(&base.statement.to_string(), dice)),
    ("string escaped or odd", |_, base, dice| {
        let text = base.statement.to_string();
        let letters: Vec<usize> = text
            .char_indices()
            .filter(|(_, one)| one.is_ascii_alphanumeric())
            .map(|(at, _)| at)
            .collect();
        let at = *dice.pick(&letters);
        let new = *dice.pick(&[
            "\\u0061",
            "\\/",
            "\\ud800",
            "\\ud83d\\ude00",
            "\u{1F600}",
            "\u{7f}",
            "\\u007f",
            "\u{2028}",
            "\\u001C",
            "\\u001c",
            "\\b",
            "\\u0008",
            "\u{e9}",
            "e\u{301}",
            "\t",
            "\\x",
            "\\",
        ]);
        Some(format!("{}{new}{}", &text[..at], &text[at + 1..]))
    }),
    ("bit of the payload flipped", |_, base, dice| {
        let mut bytes = base.statement.to_string().into_bytes();
        let at = dice.below(bytes.len());
        bytes[at] ^= 1 << dice.below(8);
        // What is not UTF-8 is signed below, as bytes.
        String::from_utf8(bytes).ok()
    }),
    ("item of a list left out, doubled or moved", |_, base, dice| {
        let mut statement = base.statement.clone();
        let lists: Vec<String> = places(&statement)
            .into_iter()
            .filter(|place| {
                statement
                    .pointer(place)
                    .and_then(Value::as_array)
                    .is_some_and(|list| !list.is_empty())
            })
            .collect();
        let list = statement.pointer_mut(dice.pick::<String>(&lists))?.as_array_mut()?;
        let (one, other) = (dice.below(list.len()), dice.below(list.len()));
        match dice.below(3) {
            0 => drop(list.remove(one)),
            1 => list.insert(other, list[one].clone()),
            _ => list.swap(one, other),
        }
        Some(statement.to_string())
    }),
    ("part of another certificate", |bench, base, dice| {
        let theirs = bench.bases.iter().find(|one| one.envelope != base.envelope)?;
        let mut statement = base.statement.clone();
        let place = place(&statement, dice);
        *statement.pointer_mut(&place)? = theirs.statement.pointer(&place)?.clone();
        Some(statement.to_string())
    }),
    ("two changes", |bench, base, dice| {
        let mut statement = base.statement.clone();
        for _ in 0..2 {
            let theirs = &bench.bases[dice.below(2)].statement;
            let place = place(&statement, dice);
            let new = match dice.below(2) {
                0 => theirs.pointer(&place).cloned().unwrap_or_else(|| odd(dice)),
                _ => odd(dice),
            };
            *statement.pointer_mut(&place)? = new;
        }
        Some(statement.to_string())
    }),
];

/// The y of the points of small order that come without the sign of x (RFC 8032).
const WEAK: [[u8; 32]; 4] = [
    {
        let mut one = [0; 32];
        one[0] = 1;
        one
    },
    [0; 32],
    {
        let mut last = [0xff; 32];
        (last[0], last[31]) = (0xec, 0x7f);
        last
    },
    {
        // p + 1, which is 1 in another form.
        let mut again = [0xff; 32];
        (again[0], again[31]) = (0xee, 0x7f);
        again
    },
];

impl Bench {
    /// The names of all classes of changes.
    pub(crate) fn classes() -> Vec<&'static str> {
        let forged = FORGERIES.iter().map(|(name, _)| *name);
        let rewritten = UNAPPROVED.iter().chain(REWRITES).map(|(name, _)| *name);
        forged.chain(rewritten).collect()
    }

    /// The mutant with this number. None of them is a certificate as it was made.
    pub(crate) fn mutant(&self, number: u64) -> Mutant {
        let mut dice = Dice::new(number);
        let (forgeries, all) =
            (FORGERIES.len(), FORGERIES.len() + UNAPPROVED.len() + REWRITES.len());
        for _ in 0..1000 {
            let (base, dice) = (&self.bases[dice.below(2)], &mut dice);
            let which = dice.below(all);
            let (class, bytes) = match FORGERIES.get(which) {
                Some((class, forge)) => (*class, forge(self, base, dice)),
                None => {
                    let mut rewrites = UNAPPROVED.iter().chain(REWRITES);
                    let (class, rewrite) = rewrites.nth(which - forgeries).expect("a class");
                    let sign = |text: String| dsse::seal(PAYLOAD, text.as_bytes(), &[&self.key]);
                    (*class, rewrite(self, base, dice).map(sign))
                }
            };
            let Some(bytes) = bytes else { continue };
            if self.bases.iter().all(|base| base.envelope != bytes) {
                let signed = which >= forgeries + UNAPPROVED.len();
                return Mutant { class, bytes, signed };
            }
        }
        unreachable!("no change changes anything");
    }
}

fn text_of(base: &Base) -> String {
    String::from_utf8_lossy(&base.envelope).into_owned()
}

/// The envelope of a certificate around another payload.
fn with_payload(base: &Base, payload: &[u8]) -> Vec<u8> {
    let mut envelope: Value = serde_json::from_slice(&base.envelope).expect("an envelope");
    envelope["payload"] = STANDARD.encode(payload).into();
    envelope.to_string().into_bytes()
}

fn key_of<'a>(bench: &'a Bench, line: &str) -> Option<&'a SecretKey> {
    bench.approvers.iter().find(|key| key.public().to_line("") == line)
}

/// The so-manieth approver has this key.
fn number_of(statement: &Value, key: &SecretKey) -> Option<usize> {
    let line = key.public().to_line("");
    let approvers = statement["predicate"]["approvers"].as_array()?;
    approvers.iter().position(|one| one["public"] == line.as_str())
}

/// An approval of the certificate's plan, but for a change.
fn approval(predicate: &Value, key: &SecretKey, change: impl FnOnce(&mut Value)) -> String {
    let sealed = dsse::seal(APPROVAL, &approval_payload(predicate, change), &[key]);
    String::from_utf8_lossy(&sealed).into_owned()
}

fn approval_payload(predicate: &Value, change: impl FnOnce(&mut Value)) -> Vec<u8> {
    let mut approval = json!({
        "plan": predicate["plan"], "store": predicate["store"], "journal": 3,
        "time": predicate["planned"], "expires": "2100-01-01T00:00:00Z",
    });
    change(&mut approval);
    approval.to_string().into_bytes()
}

fn sha256_id(public: &[u8; 32]) -> String {
    use sha2::{Digest, Sha256};
    Sha256::digest(public)[..8].iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Adds the order of the group to a number of 32 bytes, little-endian; nothing if it overflows.
fn add_order(number: &mut [u8]) -> Option<()> {
    const ORDER: [u8; 32] = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde,
        0x14, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ];
    let mut carry = 0_u16;
    for (byte, more) in number.iter_mut().zip(ORDER) {
        let sum = u16::from(*byte) + u16::from(more) + carry;
        *byte = sum as u8;
        carry = sum >> 8;
    }
    (carry == 0).then_some(())
}
