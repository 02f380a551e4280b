//! Formats of lines: examples.

use super::*;

const PEOPLE: &str = concat!(
    r#"{"user_id": 42, "meta": {"email": "a@x.org"}, "text": "one"}"#,
    "\r\n",
    r#"{"user_id":"42","meta":{"email":"b\u0040x.org"},"text":"two"}"#,
    "\n\n",
    r#"{"user_id":4.2e1,"meta":[{"email":"c@x.org"},{"email":"a@x.org"}]}"#,
    "\n",
    r#"{"user_id":421,"meta":null,"meta.email":"a@x.org"}"#,
);

#[test]
fn keys_find_numbers_texts_and_nested_fields() {
    let data = PEOPLE.as_bytes();
    assert_eq!(rows(data, JSON, &keys(&["user_id=42"])), [1, 2, 4]);
    assert_eq!(rows(data, JSON, &keys(&["user_id=42.0"])), [1, 4]);
    assert_eq!(rows(data, JSON, &keys(&["meta.email=a@x.org"])), [1, 4, 5]);
    assert_eq!(rows(data, JSON, &keys(&["meta.email=b@x.org"])), [2]);
    assert_eq!(rows(data, JSON, &keys(&["user_id=42", "text=one"])), [1]);
    assert_eq!(rows(data, JSON, &keys(&["nothing=42"])), [0; 0]);
}

#[test]
fn a_record_is_found_whatever_its_white_space_and_order() {
    let record = r#"{"text":"two","meta":{"email":"b@x.org"},"user_id":"42"}"#;
    let selector = Selector::records(&format!("{{\"other\":1}}\n\n{record}\n")).unwrap();
    assert_eq!(rows(PEOPLE.as_bytes(), JSON, &selector), [2]);
    let alone = Selector::records(record).unwrap();
    assert_eq!(rows(PEOPLE.as_bytes(), JSON, &alone), [2]);
    let number = Selector::records(&record.replace("\"42\"", "42")).unwrap();
    assert_eq!(rows(PEOPLE.as_bytes(), JSON, &number), [0; 0]);
}

#[test]
fn of_a_name_that_stands_twice_the_last_counts_and_all_are_redacted() {
    let data = b"{\"id\":1,\"id\":2,\"x\":[1,{\"id\":1}]}\n";
    assert_eq!(rows(data, JSON, &keys(&["id=1"])), [0; 0]);
    let (out, _) = rewritten(data, JSON, &keys(&["id=2"]), &redact(&["id"], None));
    assert_eq!(out, b"{\"id\":null,\"id\":null,\"x\":[1,{\"id\":1}]}\n");
}

#[test]
fn a_text_is_found_in_values_names_and_numbers() {
    let data =
        b"{\"a\":\"me@x.org!\"}\n{\"me@x.org\":1}\n{\"a\":[[\"me\\u0040x.org\"]]}\n{\"a\":55512}\n";
    let contains = |text| Selector::containing(text).unwrap();
    assert_eq!(rows(data, JSON, &contains("me@x.org")), [1, 2, 3]);
    assert_eq!(rows(data, JSON, &contains("551")), [4]);
    let text = b"first\nme@x.org\r\n\nlast me@x.org";
    assert_eq!(rows(text, Format::Text, &contains("me@x.org")), [2, 4]);
    let (out, done) = rewritten(text, Format::Text, &contains("me@x.org"), &Mode::Drop);
    assert_eq!(out, b"first\n\n");
    assert_eq!((done.rows_before, done.rows_after), (4, 2));
    let (out, _) = rewritten(text, Format::Text, &contains("me@x.org"), &redact(&[], Some("-")));
    assert_eq!(out, b"first\n-\r\n\n-");
}

#[test]
fn redaction_keeps_every_other_byte_of_the_line() {
    let data = PEOPLE.as_bytes();
    let (out, done) = rewritten(
        data,
        JSON,
        &keys(&["user_id=42"]),
        &redact(&["meta.email", "text"], Some("\"x\"")),
    );
    let expected = PEOPLE
        .replacen(r#""a@x.org""#, r#""\"x\"""#, 1)
        .replacen(r#""one""#, r#""\"x\"""#, 1)
        .replacen(r#""b\u0040x.org""#, r#""\"x\"""#, 1)
        .replacen(r#""two""#, r#""\"x\"""#, 1)
        .replacen(
            r#"[{"email":"c@x.org"},{"email":"a@x.org"}]"#,
            r#"[{"email":"\"x\""},{"email":"\"x\""}]"#,
            1,
        );
    assert_eq!(String::from_utf8(out).unwrap(), expected);
    assert_eq!((done.matched, done.changed, done.untouched, done.rows_after), (3, 3, 0, 4));
    let (_, done) = rewritten(data, JSON, &keys(&["user_id=421"]), &redact(&["absent"], None));
    assert_eq!((done.matched, done.changed, done.untouched), (1, 0, 1));
}

#[test]
fn redacting_a_text_empties_the_values_that_hold_it_and_tells_where_it_stays() {
    let data = b"{\"a\":\"by me@x.org\",\"b\":[\"me@x.org\",\"you\"]}\n{\"me@x.org\":1}\n";
    let selector = Selector::containing("me@x.org").unwrap();
    let (out, done) = rewritten(data, JSON, &selector, &redact(&[], None));
    assert_eq!(out, b"{\"a\":null,\"b\":[null,\"you\"]}\n{\"me@x.org\":1}\n");
    assert_eq!((done.changed, done.untouched), (1, 1));
    assert_eq!(done.unreadable.first, [Trouble { row: 2, byte: Some(43), why: Why::Remains }]);
}

#[test]
fn csv_rows_go_with_their_line_ends_and_quotes() {
    let data = b"\xEF\xBB\xBFid,name,note\r\n1,Ann,\"a\r\nb\"\r\n2,\"O\"\"Neil\",x\n\n3,Bob,\"\"";
    assert_eq!(rows(data, CSV, &keys(&["name=O\"Neil"])), [2]);
    assert_eq!(rows(data, CSV, &keys(&["id=1"])), [1], "the first name has no byte order mark");
    let record = Selector::records(r#"{"name":"Bob","note":null,"id":3}"#).unwrap();
    assert_eq!(rows(data, CSV, &record), [3]);
    let not_all = Selector::records(r#"{"name":"Bob","id":3}"#).unwrap();
    assert_eq!(rows(data, CSV, &not_all), [0; 0]);
    let (out, done) = rewritten(data, CSV, &keys(&["id=1"]), &Mode::Drop);
    assert_eq!(out, b"\xEF\xBB\xBFid,name,note\r\n2,\"O\"\"Neil\",x\n\n3,Bob,\"\"");
    assert_eq!((done.rows_before, done.rows_after), (3, 2));
    let (out, _) = rewritten(data, CSV, &keys(&["id=2"]), &redact(&["name"], Some("a,b")));
    assert_eq!(out, data.to_vec().replace_once(b"\"O\"\"Neil\"", b"\"a,b\""));
}

trait ReplaceOnce {
    fn replace_once(self, from: &[u8], to: &[u8]) -> Vec<u8>;
}

impl ReplaceOnce for Vec<u8> {
    fn replace_once(self, from: &[u8], to: &[u8]) -> Vec<u8> {
        let at = memchr::memmem::find(&self, from).unwrap();
        [&self[..at], to, &self[at + from.len()..]].concat()
    }
}

#[test]
fn the_only_column_that_is_emptied_leaves_a_row() {
    let data = b"mail\na@x\nb@x\n";
    let (out, done) = rewritten(data, CSV, &keys(&["mail=a@x"]), &redact(&["mail"], None));
    assert_eq!(out, b"mail\n\"\"\nb@x\n");
    assert_eq!((done.rows_after, profile(bytes(&out), CSV).unwrap().rows), (2, 2));
}

#[test]
fn one_record_may_stand_on_several_lines() {
    let selector = Selector::records("{\n  \"id\": 1\n}\n").unwrap();
    assert_eq!(rows(b"{\"id\":2}\n{\"id\":1.0}\n", JSON, &selector), [2]);
}

#[test]
fn a_byte_order_mark_survives_the_first_record() {
    let (out, _) = rewritten(b"\xEF\xBB\xBF{\"id\":1}\n{}\n", JSON, &keys(&["id=1"]), &Mode::Drop);
    assert_eq!(out, b"\xEF\xBB\xBF{}\n");
}

#[test]
fn a_key_without_a_column_is_told_and_matches_nothing() {
    let (found, scan) =
        scanned(b"id;name\n1;2\n", Format::Csv { delimiter: b';' }, &keys(&["x=1"]));
    assert_eq!((found.len(), scan.absent_keys), (0, vec!["x".to_owned()]));
    let (_, scan) = scanned(b"some text\n", Format::Text, &keys(&["x=1"]));
    assert_eq!(scan.absent_keys, ["x"]);
    let (_, done) = rewritten(b"id,name\n1,2\n", CSV, &keys(&["id=1", "y=2"]), &Mode::Drop);
    assert_eq!(done.absent_keys, ["y"]);
}

#[test]
fn rows_that_cannot_be_read_are_listed_and_kept() {
    let data = b"{\"id\":7}\n{\"id\":7\nnonsense\n{\"id\":\"\\ud800\",\"x\":7}\n\xFF7\n";
    let (out, done) = rewritten(data, JSON, &keys(&["id=7"]), &Mode::Drop);
    assert_eq!(out, &data[9..]);
    let listed: Vec<_> = done.unreadable.first.iter().map(|it| (it.row, it.byte)).collect();
    assert_eq!(listed, [(2, Some(9)), (4, Some(26)), (5, Some(48))], "`nonsense` cannot hold a 7");
    assert_eq!((done.rows_before, done.matched, done.unreadable.count), (5, 1, 3));

    let csv = b"id,name\n7\n7,a,b\n7,ok\n8,\"7\n7,x";
    let (found, scan) = scanned(csv, CSV, &keys(&["id=7"]));
    assert_eq!(found, [3]);
    let why: Vec<_> = scan.unreadable.first.iter().map(|it| (it.row, it.why.clone())).collect();
    assert_eq!(
        why,
        [
            (1, Why::Fields { expected: 2, found: 1 }),
            (2, Why::Fields { expected: 2, found: 3 }),
            (4, Why::OpenQuote)
        ]
    );
}

#[test]
fn a_header_that_holds_the_text_and_one_with_twins_are_told() {
    let selector = Selector::containing("bob").unwrap();
    let (found, scan) = scanned(b"id,bob\n1,2\n2,bob\n", CSV, &selector);
    assert_eq!((found, scan.unreadable.first[0].why.clone()), (vec![2], Why::InHeader));
    let selector = Selector::records(r#"{"a":"2"}"#).unwrap();
    let (found, scan) = scanned(b"a,a\n1,2\n", CSV, &selector);
    assert_eq!((found.len(), scan.unreadable.first[0].why.clone()), (0, Why::TwinColumns));
}

#[test]
fn a_row_that_is_too_long_is_listed_and_copied() {
    let long = "x".repeat(super::super::lines::LONGEST_RECORD + 300_000);
    let data = format!("{{\"id\":1}}\n{{\"id\":\"{long}\"}}\n{{\"id\":1}}\n");
    let (out, done) = rewritten(data.as_bytes(), JSON, &keys(&["id=1"]), &Mode::Drop);
    assert!(out == data.as_bytes()[9..data.len() - 9]);
    assert_eq!((done.rows_before, done.matched), (3, 2));
    assert_eq!(done.unreadable.first, [Trouble { row: 2, byte: Some(9), why: Why::TooLong }]);
}

#[test]
fn what_cannot_be_asked_for_is_refused() {
    assert!(matches!(Selector::keys(&["novalue"]), Err(Error::Key { .. })));
    assert!(matches!(Selector::keys(&["=x"]), Err(Error::Key { .. })));
    assert!(matches!(Selector::keys::<&str>(&[]), Err(Error::Nothing)));
    assert!(matches!(Selector::containing(""), Err(Error::Nothing)));
    assert!(matches!(Selector::records(" \n"), Err(Error::Nothing)));
    let wrong = Selector::records("{}\n{\"a\":}");
    assert!(matches!(wrong, Err(Error::Record { number: 2, at: 5, .. })), "{wrong:?}");
    let other = scan(bytes(b""), Format::Other, &keys(&["a=1"]), Want::Places, &mut |_| {});
    assert!(matches!(other, Err(Error::NoRecords)));
    let mut stream: &[u8] = b"PAR1";
    let stream = Source::Stream(&mut stream);
    let parquet = scan(stream, Format::Parquet, &keys(&["a=1"]), Want::Places, &mut |_| {});
    assert!(matches!(parquet, Err(Error::NeedsSeek)));
}

#[test]
fn a_reader_that_fails_is_an_error() {
    struct Failing;
    impl Read for Failing {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Err(std::io::Error::other("no"))
        }
    }
    let mut failing = Failing;
    let result =
        scan(Source::Stream(&mut failing), JSON, &keys(&["a=1"]), Want::Places, &mut |_| {});
    assert!(matches!(result, Err(Error::Read(_))));
}

#[test]
fn deep_documents_are_refused_and_not_followed() {
    let deep = format!("{}7{}\n{{\"a\":7}}\n", "[".repeat(100_000), "]".repeat(100_000));
    let (found, scan) = scanned(deep.as_bytes(), JSON, &keys(&["a=7"]));
    assert_eq!((found, scan.unreadable.count), (vec![2], 1));
}

#[test]
fn a_profile_tells_columns_types_and_nulls() {
    let data = b"{\"id\":1,\"x\":1}\n{\"id\":2.5,\"x\":\"a\",\"y\":null}\n[]\nbroken\n";
    let profile = profile(bytes(data), JSON).unwrap();
    let columns: Vec<_> =
        profile.columns.iter().map(|it| (it.name.as_str(), it.kind, it.nulls.unwrap())).collect();
    assert_eq!(
        columns,
        [
            ("id", ColumnKind::Number, 1),
            ("x", ColumnKind::Mixed, 1),
            ("y", ColumnKind::Null, 3),
            ("", ColumnKind::List, 2)
        ]
    );
    assert_eq!((profile.rows, profile.unreadable.count), (4, 1));
    let csv = b"id,b,t,e\n1,true,x,\n-2,False,1,\n";
    let profile = super::super::profile(bytes(csv), CSV).unwrap();
    let kinds: Vec<_> = profile.columns.iter().map(|it| (it.kind, it.nulls)).collect();
    assert_eq!(
        kinds,
        [
            (ColumnKind::Integer, Some(0)),
            (ColumnKind::Boolean, Some(0)),
            (ColumnKind::Text, Some(0)),
            (ColumnKind::Null, Some(2))
        ]
    );
    let empty = super::super::profile(bytes(b"a,b\n"), CSV).unwrap();
    assert_eq!((empty.rows, empty.columns.len()), (0, 2));
}
