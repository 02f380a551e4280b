use serde_json::json;

use super::*;

fn yaml(text: &str) -> Result<Value, DocumentError> {
    parse(Syntax::Yaml, text.as_bytes()).map(Value::Object)
}

fn toml_of(text: &str) -> Result<Value, DocumentError> {
    parse(Syntax::Toml, text.as_bytes()).map(Value::Object)
}

fn json_of(text: &str) -> Result<Value, DocumentError> {
    parse(Syntax::Json, text.as_bytes()).map(Value::Object)
}

#[test]
fn the_three_say_the_same() {
    let expected = json!({
        "a": "x", "n": 12, "f": 0.5, "yes": true, "l": ["p", {"q": -3}], "day": "2026-11-23",
        "none": "no",
    });
    let texts = [
        yaml("a: x\nn: 12\nf: 5e-1\nyes: true\nl: [p, {q: -3}]\nday: 2026-11-23\nnone: no\n"),
        toml_of(
            "a = 'x'\nn = 12\nf = 0.5\nyes = true\nl = ['p', {q = -3}]\nday = 2026-11-23\n\
             none = 'no'\n",
        ),
        json_of(&expected.to_string()),
    ];
    for read in texts {
        assert_eq!(read.as_ref(), Ok(&expected));
    }
    for syntax in [Syntax::Yaml, Syntax::Toml, Syntax::Json] {
        assert_eq!(parse(syntax, b""), Ok(Map::new()));
    }
    assert_eq!(yaml("# nothing\n"), Ok(json!({})));
}

#[test]
fn plain_words_of_yaml_are_what_the_core_schema_says() {
    for (text, expected) in [
        ("~", json!(null)),
        ("0x1F", json!(31)),
        ("0o17", json!(15)),
        ("+7", json!(7)),
        ("-0.5", json!(-0.5)),
        ("1e3", json!(1000.0)),
        ("18446744073709551615", json!(u64::MAX)),
        ("1.2.3", json!("1.2.3")),
        ("1-2", json!("1-2")),
        ("--1", json!("--1")),
        ("'1'", json!("1")),
        ("e5", json!("e5")),
        ("inf", json!("inf")),
        ("yes", json!("yes")),
        ("|-\n  two\n  lines", json!("two\nlines")),
    ] {
        assert_eq!(yaml(&format!("k: {text}\n")), Ok(json!({"k": expected})), "{text}");
    }
}

#[test]
fn what_could_be_read_in_two_ways_is_refused() {
    let repeated = |key: &str| Err(DocumentError::Repeated(key.into()));
    assert_eq!(yaml("a: 1\nb: 2\na: 3\n"), repeated("a"));
    assert_eq!(yaml("a: {b: 1, b: 2}\n"), repeated("b"));
    assert_eq!(json_of(r#"{"a":1,"a":2}"#), repeated("a"));
    assert_eq!(json_of(r#"{"a":[{"b":1,"b":1}]}"#), repeated("b"));
    assert_eq!(toml_of("a = 1\na = 2\n"), repeated("a"));
    assert!(toml_of("[a]\n[a]\n").is_err());
    for text in ["k: .nan", "k: -.inf", "k: 1e999", "k: 99999999999999999999"] {
        assert!(matches!(yaml(text), Err(DocumentError::Number(_))), "{text}");
    }
    for text in ["k = nan", "k = -inf"] {
        assert!(matches!(toml_of(text), Err(DocumentError::Number(_))), "{text}");
    }
    for text in ["{\"k\":NaN}", "{\"k\":1e999}", "{\"k\":1} x", "{", "[1", "nul"] {
        assert!(matches!(json_of(text), Err(DocumentError::Syntax(_))), "{text}");
    }
    for text in ["k: &a x", "k: *a", "&a k: x", "k: !!str 1", "a: 1\n---\nb: 2", "{[1]: 2}"] {
        assert!(yaml(text).is_err(), "{text}");
    }
    for text in ["[1]", "7", "\"x\""] {
        assert_eq!(json_of(text), Err(DocumentError::NotAnObject));
        assert_eq!(yaml(text), Err(DocumentError::NotAnObject));
    }
    assert_eq!(parse(Syntax::Yaml, b"k: \xff"), Err(DocumentError::NotText));
}

#[test]
fn deep_and_large_documents_are_refused_without_recursion() {
    const DEEP: usize = 100_000;
    let open = "[".repeat(DEEP);
    for text in [
        format!("{{\"k\":{open}"),
        format!("{{\"k\":{open}{}}}", "]".repeat(DEEP)),
        "{\"k\":".repeat(DEEP),
    ] {
        assert_eq!(json_of(&text), Err(DocumentError::TooDeep));
    }
    for text in [format!("k: {open}"), "- ".repeat(DEEP), "k: {a: ".repeat(DEEP)] {
        assert!(yaml(&text).is_err());
    }
    let steps: String = (0..300).map(|depth| format!("{}k:\n", " ".repeat(depth))).collect();
    assert_eq!(yaml(&steps), Err(DocumentError::TooDeep));
    for text in [
        format!("k = {open}"),
        format!("k = {}", "{a = ".repeat(DEEP)),
        format!("{}a = 1", "a.".repeat(DEEP)),
        format!("[{}a]", "a.".repeat(DEEP)),
        format!("k = {{ {}a = 1 }}", "a.".repeat(DEEP)),
        format!("k = {{ {}a = 1 }}", "\"a\" . ".repeat(DEEP)),
        format!("{}\"a\" = 1", "\"a\" . ".repeat(DEEP)),
    ] {
        assert_eq!(toml_of(&text), Err(DocumentError::TooDeep), "{}", &text[..20]);
    }
    let large = vec![b' '; MAX_BYTES + 1];
    for syntax in [Syntax::Yaml, Syntax::Toml, Syntax::Json] {
        assert_eq!(parse(syntax, &large), Err(DocumentError::TooLarge));
    }
}

#[test]
fn long_text_is_not_taken_for_a_deep_key() {
    let text = format!("note = \"{}\"\n", "A sentence. ".repeat(3000));
    assert!(toml_of(&text).is_ok());
    for quote in ["\"", "'", "\"\"\"", "'''"] {
        let text = format!("note = {quote}{0}{quote}\n# {0}\nx = 1.5", "a.".repeat(900));
        assert!(toml_of(&text).is_ok());
    }
    let text = format!("l = [{}]", "1.5, ".repeat(900));
    assert!(toml_of(&text).is_ok());
}

proptest::proptest! {
    #[test]
    fn nothing_makes_a_reader_panic(bytes: Vec<u8>, text in "[\\[\\]{}:,=.\"'&*!#|> \\-\na1]{0,200}") {
        for syntax in [Syntax::Yaml, Syntax::Toml, Syntax::Json] {
            let _ = parse(syntax, &bytes);
            let _ = parse(syntax, text.as_bytes());
        }
    }
}
