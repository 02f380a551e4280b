//! Finding words, and that what is forgotten leaves none.

use serde_json::json;

use super::*;

fn note(text: &str, version: Option<VersionId>) -> Change {
    let mut record = Record::new(RecordKind::Note);
    record.version = version;
    record.text = Some(text.into());
    record.body = json!({"deep": [{"in": "a basement"}]}).as_object().unwrap().clone();
    Change::Recorded { record }
}

fn found(catalogue: &Catalogue, words: &str) -> Vec<(String, u64)> {
    let places = catalogue.search(words, None, 100).unwrap().unwrap();
    let mut places: Vec<_> = places.into_iter().map(|place| (place.kind, place.number)).collect();
    places.sort();
    places
}

fn kinds(catalogue: &Catalogue, words: &str) -> Vec<String> {
    found(catalogue, words).into_iter().map(|(kind, _)| kind).collect()
}

#[test]
fn messages_metadata_and_records_are_found_by_their_words() {
    let place = place();
    let (id, mut version) = version("Räw crawl, deduplicated", &[]);
    let source = Source { uri: "https://example.org/corpus".into(), ..Source::default() };
    version.provenance.sources.push(source);
    version.provenance.purpose = Some("train a tokeniser".into());
    let mut first = changes(vec![
        created("corpus"),
        Change::VersionAdded { version: id, dataset: Some(dataset("corpus")) },
    ]);
    first.versions.push((id, version));
    place.catalogue.apply(&first).unwrap();
    place.catalogue.apply(&changes(vec![note("half of it is empty", Some(id))])).unwrap();
    for (words, expected) in [
        ("raw", vec!["message"]),
        ("RÄW crawl", vec!["message"]),
        ("crawl raw", vec!["message"]),
        ("dedup", vec![]),
        ("dedup*", vec!["message"]),
        ("tokeniser", vec!["metadata"]),
        ("example.org", vec!["metadata"]),
        ("half empty", vec!["note"]),
        ("basement", vec!["note"]),
        ("half crawl", vec![]),
        // What FTS5 takes for operators are words here.
        ("half OR crawl", vec![]),
        ("NOT half", vec![]),
        ("text:half", vec![]),
        ("\"half", vec!["note"]),
        ("half\"\"", vec!["note"]),
        ("^half", vec!["note"]),
        ("half)", vec!["note"]),
        ("{half}", vec!["note"]),
        ("half -", vec!["note"]),
        ("*half*", vec!["note"]),
    ] {
        assert_eq!(kinds(&place.catalogue, words), expected, "{words}");
    }
    assert_eq!(place.catalogue.search(" - \" * ", None, 9).unwrap(), None);
    let only = place.catalogue.search("half", Some(RecordKind::Metric), 9).unwrap();
    assert_eq!(only, Some(vec![]));
    place.catalogue.rebuild_search().unwrap();
    assert_eq!(found(&place.catalogue, "half"), [("note".into(), 2)]);
}

/// Chinese and Japanese have no spaces between words: a word is found in the middle of a sentence.
#[test]
fn words_without_spaces_are_found_anywhere() {
    let place = place();
    let (id, version) = version("去重之后清洗数据，保留90%的样本 (GPT4模型)", &[]);
    let mut first = changes(vec![
        created("corpus"),
        Change::VersionAdded { version: id, dataset: Some(dataset("corpus")) },
    ]);
    first.versions.push((id, version));
    place.catalogue.apply(&first).unwrap();
    place.catalogue.apply(&changes(vec![note("日本語のデータを洗浄した。", Some(id))])).unwrap();
    for (words, expected) in [
        ("清洗", vec!["message"]),
        ("数据", vec!["message"]),
        ("洗数", vec!["message"]),
        ("清洗数据", vec!["message"]),
        ("数据 去重", vec!["message"]),
        ("清*", vec!["message"]),
        ("90%的样本", vec!["message"]),
        ("gpt4模型", vec!["message"]),
        ("样本GPT4", vec!["message"]),
        ("清据", vec![]),
        ("数据 合成", vec![]),
        ("gpt模型", vec![]),
        ("データ", vec!["note"]),
        ("洗", vec!["message", "note"]),
        ("洗浄 basement", vec!["note"]),
    ] {
        assert_eq!(kinds(&place.catalogue, words), expected, "{words}");
    }
    place.catalogue.rebuild_search().unwrap();
    assert_eq!(kinds(&place.catalogue, "清洗"), ["message"]);
    place
        .catalogue
        .apply(&changes(vec![Change::VersionsForgotten { versions: vec![id] }]))
        .unwrap();
    assert_eq!(kinds(&place.catalogue, "清洗"), Vec::<String>::new());
}

/// A catalogue of an earlier release has such texts in one piece.
#[test]
fn what_was_recorded_in_one_piece_is_found_by_its_beginning() {
    let place = place();
    place.catalogue.apply(&changes(vec![created("corpus"), note("ours", None)])).unwrap();
    place
        .catalogue
        .write(async |connection| {
            for text in [
                "UPDATE words SET text = '清洗数据' WHERE number = 1",
                "INSERT INTO words_index (words_index) VALUES ('rebuild')",
            ] {
                sqlx::raw_sql(text).execute(&mut *connection).await.unwrap();
            }
            Ok(())
        })
        .unwrap();
    assert_eq!(kinds(&place.catalogue, "清洗"), ["note"]);
    assert_eq!(kinds(&place.catalogue, "数据"), Vec::<String>::new());
}

#[test]
fn the_words_of_a_forgotten_version_are_nowhere() {
    let place = place();
    let (id, version) = version("zanzibar", &[]);
    let mut changeset =
        changes(vec![created("corpus"), Change::VersionAdded { version: id, dataset: None }]);
    changeset.versions.push((id, version));
    place.catalogue.apply(&changeset).unwrap();
    // A later record of it stays, as all records do.
    place.catalogue.apply(&changes(vec![note("seen by all", Some(id))])).unwrap();
    assert_eq!(kinds(&place.catalogue, "zanzibar"), ["message"]);
    let path = place.path();
    let directory = place.close();
    assert!(has(&path, b"zanzibar"), "the test looks in the wrong place");
    let catalogue = Catalogue::open(&path).unwrap();
    catalogue.apply(&changes(vec![Change::VersionsForgotten { versions: vec![id] }])).unwrap();
    assert_eq!(kinds(&catalogue, "zanzibar"), Vec::<String>::new());
    assert_eq!(kinds(&catalogue, "seen"), ["note"]);
    drop(catalogue);
    assert!(!has(&path, b"zanzibar"), "the file still has it");
    drop(directory);
}

/// Whether the database, closed, has these bytes anywhere.
fn has(path: &std::path::Path, bytes: &[u8]) -> bool {
    let all = std::fs::read(path).unwrap();
    assert!(!path.with_extension("db-wal").exists());
    all.windows(bytes.len()).any(|window| window == bytes)
}

#[test]
fn questions_see_the_tables_as_they_are() {
    let (place, ids) = with_versions(3);
    let limits = QueryLimits::default();
    let answer = place.catalogue.query("SELECT count(*) FROM versions", limits).unwrap();
    assert_eq!(answer.rows, [[json!(3)]]);
    let chosen = place.catalogue.versions_where("message = 'version 1'", limits).unwrap();
    assert_eq!(chosen, [ids[1]]);
    let metric = Record {
        version: Some(ids[2]),
        body: json!({"name": "it's", "value": 0.5}).as_object().unwrap().clone(),
        ..Record::new(RecordKind::Metric)
    };
    place.catalogue.apply(&changes(vec![Change::Recorded { record: metric }])).unwrap();
    let chosen = place.catalogue.versions_where("metric.\"it's\" >= 0.5", limits).unwrap();
    assert_eq!(chosen, [ids[2]]);
    let none = place.catalogue.versions_where("metric.other >= 0", limits).unwrap();
    assert_eq!(none, []);
}

/// A catalogue of before has its words indexed when it is brought up to date.
#[test]
fn the_words_of_an_older_schema_are_found() {
    let (place, ids) = with_versions(3);
    place.catalogue.apply(&changes(vec![note("half of it is empty", Some(ids[0]))])).unwrap();
    let directory = place.close();
    let views = [
        "datasets",
        "versions",
        "parents",
        "branches",
        "tags",
        "ref_moves",
        "sources",
        "steps",
        "metrics",
        "latest_metrics",
        "derivations",
        "consumers",
        "uses",
        "notes",
        "records",
        "journal_entries",
    ];
    let drops: String = views.iter().map(|view| format!("DROP VIEW {view};")).collect();
    let text = format!(
        "{drops} DROP TABLE words_index; DROP TABLE words;
         DELETE FROM _sqlx_migrations WHERE version = 4; PRAGMA user_version = 2"
    );
    journal::shell(&directory, text.leak());
    let catalogue = Catalogue::open(&directory.path().join("catalogue.db")).unwrap();
    assert_eq!(kinds(&catalogue, "version 2"), ["message"]);
    assert_eq!(kinds(&catalogue, "half"), ["note"]);
    let answer = catalogue.query("SELECT count(*) FROM notes", QueryLimits::default()).unwrap();
    assert_eq!(answer.rows, [[json!(1)]]);
}

/// Pieces that end strings, comments and statements in every order.
const PIECES: [&str; 26] = [
    "SELECT 1",
    " ",
    ";",
    "'",
    "\"",
    "`",
    "[",
    "]",
    "--",
    "\n",
    "/*",
    "*/",
    "(",
    ")",
    ",",
    "x'00'",
    " FROM versions",
    " UNION ",
    "DELETE FROM version",
    "VACUUM INTO 'stolen.db'",
    "ATTACH 'stolen.db' AS s",
    "PRAGMA query_only = OFF",
    "WITH a AS (SELECT 1) ",
    "\\",
    "''",
    "1",
];

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(400))]

    /// Where this program and SQLite read a text differently, something must still refuse.
    #[test]
    fn no_text_changes_anything(
        pieces in proptest::collection::vec(0..PIECES.len(), 1..12),
        begins in proptest::bool::ANY,
    ) {
        let mut sql: String = pieces.iter().map(|piece| PIECES[*piece]).collect();
        if begins {
            sql.insert_str(0, "SELECT 1 ");
        }
        let sql = sql.replace("stolen.db", &with_one().1);
        let catalogue = &with_one().0.catalogue;
        let before = catalogue.dump().unwrap();
        let limits = QueryLimits { seconds: 5, rows: 10, ..QueryLimits::default() };
        for problem in [
            catalogue.query(&sql, limits).err(),
            catalogue.versions_where(&sql, limits).err(),
        ].into_iter().flatten() {
            proptest::prop_assert!(matches!(problem, Error::BadQuestion { .. }), "{sql}: {problem:?}");
        }
        proptest::prop_assert_eq!(catalogue.dump().unwrap(), before);
        proptest::prop_assert!(!std::path::Path::new(&with_one().1).exists(), "{}", sql);
    }
}

/// A catalogue with a version, and a place where no file must appear.
fn with_one() -> &'static (Place, String) {
    static ONE: std::sync::OnceLock<(Place, String)> = std::sync::OnceLock::new();
    ONE.get_or_init(|| {
        let (place, _) = with_versions(1);
        let stolen = place.directory.path().join("stolen.db").display().to_string();
        (place, stolen)
    })
}
