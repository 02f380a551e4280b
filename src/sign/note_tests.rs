//! The vectors of `golang.org/x/mod/sumdb/note`, and what is refused.

use super::*;

const TEXT: &str = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n";
const PETER: &str = "PeterNeumann";
const PETERS_KEY: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
/// What follows the type byte in `PRIVATE+KEY+PeterNeumann+c74f20a3+AYEK…`.
const PETERS_SEED: &str = "AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
const PETERS_LINE: &str = "\u{2014} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZIn\
                           NIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";

fn peter() -> SecretKey {
    let bytes = from_base64(PETERS_SEED, WHAT).unwrap();
    SecretKey::from_seed(bytes[1..].try_into().unwrap())
}

#[test]
fn a_note_is_that_of_the_go_implementation() {
    let signed = sign(TEXT, PETER, &peter()).unwrap();
    assert_eq!(signed, format!("{TEXT}\n{PETERS_LINE}"));
    assert_eq!(verifier_key(PETER, &peter().public()).unwrap(), PETERS_KEY);
    let note = open(&signed, &[(PETER, peter().public())]).unwrap();
    assert_eq!(note.text, TEXT);
    assert_eq!(note.signers, [(PETER.to_owned(), peter().public())]);
}

#[test]
fn a_key_under_another_name_is_another_key() {
    let signed = sign(TEXT, PETER, &peter()).unwrap();
    let enoch = [("EnochRoot", peter().public())];
    assert!(matches!(open(&signed, &enoch), Err(Error::TooFew { .. })));
    assert!(matches!(open(&signed, &[]), Err(Error::TooFew { .. })));
}

#[test]
fn signatures_of_strangers_are_passed_over_and_false_ones_are_not() {
    let stranger = SecretKey::from_seed(&[7; 32]);
    let signed = sign(TEXT, PETER, &peter()).unwrap();
    let line = sign(TEXT, "stranger", &stranger).unwrap()[TEXT.len() + 1..].to_owned();
    let both = format!("{signed}{line}");
    assert_eq!(open(&both, &[(PETER, peter().public())]).unwrap().signers.len(), 1);
    let known = [(PETER, peter().public()), ("stranger", stranger.public())];
    assert_eq!(open(&both, &known).unwrap().signers.len(), 2);
    let other = sign("other\n", "stranger", &stranger).unwrap()["other\n\n".len()..].to_owned();
    let false_one = format!("{signed}{other}");
    assert!(matches!(open(&false_one, &known), Err(Error::Wrong { .. })));
}

#[test]
fn texts_and_names_that_no_note_can_have_are_refused() {
    for text in ["", "no end", "a\r\n", "a\tb\n", "a\0\n"] {
        assert!(sign(text, PETER, &peter()).is_err(), "{text:?}");
    }
    for name in ["", "a b", "a+b", "a\u{a0}b", "a\nb"] {
        assert!(sign(TEXT, name, &peter()).is_err(), "{name:?}");
    }
}

#[test]
fn what_is_not_exactly_a_note_is_refused() {
    let keys = [(PETER, peter().public())];
    let good = format!("{TEXT}\n{PETERS_LINE}");
    let wrong = [
        good.replace('\u{2014}', "-"),
        good.trim_end().to_owned(),
        format!("{good}\n"),
        format!("{good}text\n"),
        format!("{TEXT}{PETERS_LINE}"),
        format!("{TEXT}\n"),
        good.replace("AM=\n", "AN=\n"),
        good.replace("AM=\n", "AM\n"),
        good.replace("you think", "you  think"),
        good.replace("PeterNeumann ", "PeterNeumann  "),
        good.replacen("If", "\nIf", 1),
        format!("{TEXT}\n{}", PETERS_LINE.repeat(101)),
    ];
    for note in &wrong {
        assert!(open(note, &keys).is_err(), "{note}");
    }
    assert_eq!(open(&good, &keys).unwrap().text, TEXT);
}

#[test]
fn the_text_may_have_empty_lines() {
    let text = "a\n\nb\n\n";
    let signed = sign(text, PETER, &peter()).unwrap();
    assert_eq!(open(&signed, &[(PETER, peter().public())]).unwrap().text, text);
}
