//! Parquet: what stays, what goes, what is refused.

use std::sync::Arc;

use ::parquet::arrow::ArrowWriter;
use ::parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use ::parquet::basic::{Compression, ZstdLevel};
use ::parquet::file::metadata::{KeyValue, ParquetMetaData};
use ::parquet::file::properties::WriterProperties;
use ::parquet::schema::types::ColumnPath;
use arrow_array::builder::{
    Int32Builder, Int64Builder, ListBuilder, MapBuilder, StringBuilder, StringDictionaryBuilder,
    StructBuilder,
};
use arrow_array::types::Int32Type;
use arrow_array::{
    ArrayRef, BinaryArray, BooleanArray, Decimal128Array, Float32Array, Float64Array, Int64Array,
    RecordBatch, StringArray, StructArray, TimestampMicrosecondArray,
};
use arrow_schema::{DataType, Field, Fields};

use super::*;

const SALT: [u8; 32] = [7; 32];

fn people(count: usize) -> RecordBatch {
    let nullable = |at: usize| !at.is_multiple_of(5);
    let ids = 0..count as i64;
    let mails: Vec<Option<String>> =
        (0..count).map(|at| nullable(at).then(|| format!("user{at}@x.org"))).collect();
    let fields = Fields::from(vec![
        Field::new("email", DataType::Utf8, true),
        Field::new("age", DataType::Float32, false),
    ]);
    let ages = Float32Array::from_iter_values((0..count).map(|at| at as f32 + 0.1));
    let meta = StructArray::new(
        fields,
        vec![Arc::new(StringArray::from(mails)), Arc::new(ages)],
        Some((0..count).map(|at| at % 6 != 1).collect::<Vec<bool>>().into()),
    );
    let (tags, scores, country) = nested(count);
    let columns: Vec<(&str, ArrayRef, bool)> = vec![
        ("id", Arc::new(Int64Array::from_iter_values(ids.clone())), false),
        (
            "text",
            Arc::new(StringArray::from_iter_values(ids.clone().map(|id| format!("said {id}.")))),
            false,
        ),
        ("meta", Arc::new(meta), true),
        ("tags", tags, true),
        ("scores", scores, true),
        ("country", country, true),
        (
            "ratio",
            Arc::new(Float64Array::from_iter(
                ids.clone().map(|id| (id % 4 != 0).then(|| id as f64 / 3.0)),
            )),
            true,
        ),
        ("good", Arc::new(BooleanArray::from_iter(ids.clone().map(|id| Some(id % 2 == 0)))), true),
        (
            "raw",
            Arc::new(BinaryArray::from_iter_values(ids.clone().map(|id| [0xFF, id as u8]))),
            true,
        ),
        (
            "price",
            Arc::new(
                Decimal128Array::from_iter_values(ids.clone().map(i128::from))
                    .with_precision_and_scale(20, 2)
                    .unwrap(),
            ),
            true,
        ),
        (
            "at",
            Arc::new(
                TimestampMicrosecondArray::from_iter_values(ids.map(|id| id * 1_000_500))
                    .with_timezone("UTC"),
            ),
            true,
        ),
    ];
    RecordBatch::try_from_iter_with_nullable(columns).unwrap()
}

/// Lists, maps, and texts from a dictionary.
fn nested(count: usize) -> (ArrayRef, ArrayRef, ArrayRef) {
    let mut tags = ListBuilder::new(StringBuilder::new());
    let mut scores = MapBuilder::new(None, StringBuilder::new(), Int32Builder::new());
    let mut country = StringDictionaryBuilder::<Int32Type>::new();
    for at in 0..count {
        for tag in 0..at % 4 {
            tags.values().append_option((tag != 2).then(|| format!("tag{at}-{tag}")));
        }
        tags.append(at % 7 != 0);
        scores.keys().append_value(format!("k{at}"));
        scores.values().append_value(at as i32);
        scores.append(true).unwrap();
        country.append_value(["de", "fr", "it"][at % 3]);
    }
    (Arc::new(tags.finish()), Arc::new(scores.finish()), Arc::new(country.finish()))
}

/// A file with groups of 100 rows.
fn file(count: usize) -> Vec<u8> {
    let batch = people(count);
    let properties = WriterProperties::builder()
        .set_max_row_group_row_count(Some(100))
        .set_compression(Compression::SNAPPY)
        .set_column_compression(ColumnPath::from("text"), Compression::ZSTD(ZstdLevel::default()))
        .set_column_bloom_filter_enabled(ColumnPath::from("id"), true)
        .set_column_dictionary_enabled(ColumnPath::from("ratio"), false)
        .set_key_value_metadata(Some(vec![KeyValue::new("about".to_owned(), "people".to_owned())]))
        .build();
    written(&batch, properties)
}

fn written(batch: &RecordBatch, properties: WriterProperties) -> Vec<u8> {
    let mut out = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut out, batch.schema(), Some(properties)).unwrap();
    writer.write(batch).unwrap();
    writer.close().unwrap();
    out
}

/// The rows of a file, each a batch of one row.
fn read(data: &[u8]) -> Vec<RecordBatch> {
    let reader =
        ParquetRecordBatchReader::try_new(::bytes::Bytes::from(data.to_vec()), 1024).unwrap();
    let batches = reader.map(Result::unwrap);
    batches.flat_map(|batch| (0..batch.num_rows()).map(move |at| batch.slice(at, 1))).collect()
}

fn metadata(data: &[u8]) -> Arc<ParquetMetaData> {
    let data = ::bytes::Bytes::from(data.to_vec());
    ParquetRecordBatchReaderBuilder::try_new(data).unwrap().metadata().clone()
}

fn pq(data: &[u8], selector: &Selector) -> Vec<u64> {
    rows(data, Format::Parquet, selector)
}

#[test]
fn dropping_keeps_all_other_values_the_schema_and_the_metadata() {
    let data = file(350);
    let (out, done) = rewritten(&data, Format::Parquet, &keys(&["country=fr"]), &Mode::Drop);
    let before = read(&data);
    let expected: Vec<_> =
        before.into_iter().enumerate().filter(|(at, _)| at % 3 != 1).map(|it| it.1).collect();
    assert!(read(&out) == expected);
    assert_eq!((done.rows_before, done.rows_after, done.matched), (350, 233, 117));
    let (old, new) = (metadata(&data), metadata(&out));
    assert_eq!(old.file_metadata().schema(), new.file_metadata().schema());
    assert_eq!(old.file_metadata().key_value_metadata(), new.file_metadata().key_value_metadata());
    assert_eq!(old.num_row_groups(), new.num_row_groups());
    for (old, new) in old.row_group(3).columns().iter().zip(new.row_group(3).columns()) {
        assert_eq!(old.compression(), new.compression());
        assert_eq!(old.dictionary_page_offset().is_some(), new.dictionary_page_offset().is_some());
        assert_eq!(old.bloom_filter_offset().is_some(), new.bloom_filter_offset().is_some());
        assert_eq!(old.statistics().is_some(), new.statistics().is_some());
    }
}

#[test]
fn groups_in_which_nothing_matches_are_copied_byte_by_byte() {
    let data = file(400);
    let (out, done) = rewritten(&data, Format::Parquet, &keys(&["id=150"]), &Mode::Drop);
    assert_eq!((done.rows_before, done.rows_after), (400, 399));
    let (old, new) = (metadata(&data), metadata(&out));
    for group in [0, 2, 3] {
        for (old, new) in old.row_group(group).columns().iter().zip(new.row_group(group).columns())
        {
            let bytes = |file: &[u8], (start, length): (u64, u64)| {
                file[start as usize..(start + length) as usize].to_vec()
            };
            assert_eq!(bytes(&data, old.byte_range()), bytes(&out, new.byte_range()));
            assert_eq!(old.statistics(), new.statistics());
            assert_eq!(old.bloom_filter_length(), new.bloom_filter_length());
        }
    }
    assert_eq!(read(&out).len(), 399);
    let (same, _) = rewritten(&out, Format::Parquet, &keys(&["id=150"]), &Mode::Drop);
    assert!(read(&same) == read(&out));
}

#[test]
fn nothing_of_a_dropped_row_is_left_in_the_file() {
    let data = written(&people(1000), WriterProperties::builder().build());
    for mode in [Mode::Drop, redact(&["text", "tags", "meta"], None)] {
        let data = if mode == Mode::Drop { data.clone() } else { nullable_text() };
        let (out, done) = rewritten(&data, Format::Parquet, &keys(&["id=998"]), &mode);
        assert_eq!(done.matched, 1);
        for canary in ["said 998.", "user998@x.org", "tag998-1"] {
            let there = |file: &[u8]| memchr::memmem::find(file, canary.as_bytes()).is_some();
            assert!(there(&data), "{canary}");
            assert!(!there(&out), "{canary} {mode:?}");
        }
    }
}

/// As [`people`], but the text may be null.
fn nullable_text() -> Vec<u8> {
    let batch = people(1000);
    let fields = batch
        .schema()
        .fields()
        .iter()
        .map(|field| field.as_ref().clone().with_nullable(true))
        .collect::<Vec<_>>();
    let schema = Arc::new(arrow_schema::Schema::new(fields));
    let batch = RecordBatch::try_new(schema, batch.columns().to_vec()).unwrap();
    written(&batch, WriterProperties::builder().build())
}

#[test]
fn keys_find_nested_values_and_every_type() {
    let data = file(250);
    assert_eq!(pq(&data, &keys(&["id=42"])), [43]);
    assert_eq!(pq(&data, &keys(&["id=4.2e1"])), [43]);
    assert_eq!(pq(&data, &keys(&["meta.email=user42@x.org"])), [43]);
    assert_eq!(pq(&data, &keys(&["tags=tag43-1"])), [44]);
    assert_eq!(pq(&data, &keys(&["ratio=0.3333333333333333"])), [2]);
    assert_eq!(pq(&data, &keys(&["price=0.42"])), [43]);
    assert_eq!(pq(&data, &keys(&["at=1970-01-01T00:00:02.001Z"])), [3]);
    assert_eq!(pq(&data, &keys(&["good=true", "country=fr", "id=10"])), [11]);
    let (found, scan) = scanned(&data, Format::Parquet, &keys(&["meta.phone=1", "id=1"]));
    assert_eq!((found.len(), scan.absent_keys), (0, vec!["meta.phone".to_owned()]));
}

#[test]
fn a_record_equals_a_row_over_all_columns() {
    let data = file(250);
    let mut found = Vec::new();
    let selector = keys(&["id=43"]);
    scan(bytes(&data), Format::Parquet, &selector, Want::Records, &mut |it| found.push(it))
        .unwrap();
    let record = r#"{"id":43,"text":"said 43.","meta":null,"tags":["tag43-0","tag43-1",null],
        "scores":[["k43",43]],"country":"fr","ratio":14.333333333333334,"good":false,"raw":"ff2b",
        "price":0.43,"at":"1970-01-01T00:00:43.0215Z"}"#
        .replace('\n', " ");
    assert_eq!(found[0].canonical.clone().unwrap(), canonical_record(&record).unwrap());
    assert_eq!(pq(&data, &Selector::records(&record).unwrap()), [44]);
    let two = format!("{record}\n{{\"id\":1}}");
    assert_eq!(pq(&data, &Selector::records(&two).unwrap()), [44]);
    let less = record.replace("\"good\":false,", "");
    assert_eq!(pq(&data, &Selector::records(&less).unwrap()), [0; 0]);
    let mut with_float = record
        .replace("43", "44")
        .replace("\"meta\":null", "\"meta\":{\"email\":\"user44@x.org\",\"age\":44.1}");
    with_float = with_float
        .replace("[\"tag44-0\",\"tag44-1\",null]", "[]")
        .replace("14.333333333333334", "null")
        .replace("false", "true")
        .replace("ff2b", "ff2c")
        .replace("\"fr\"", "\"it\"")
        .replace("44.0215", "44.022");
    assert_eq!(pq(&data, &Selector::records(&with_float).unwrap()), [45], "{with_float}");
}

#[test]
fn a_text_is_found_in_nested_columns_and_emptied_there() {
    let data = file(250);
    let contains = |text: &str| Selector::containing(text).unwrap();
    assert_eq!(pq(&data, &contains("tag43-1")), [44]);
    assert_eq!(pq(&data, &contains("r44@x")), [45]);
    assert_eq!(pq(&data, &contains("k200")), [201]);
    let (out, done) =
        rewritten(&data, Format::Parquet, &contains("tag43-1"), &redact(&[], Some("-")));
    assert_eq!((done.changed, done.untouched, done.rows_after), (1, 0, 250));
    assert_eq!(pq(&out, &contains("tag43-1")), [0; 0]);
    assert_eq!(pq(&out, &keys(&["tags=-"])), [44]);
    let (_, scan) = scanned(&data, Format::Parquet, &contains("people"));
    assert_eq!(scan.unreadable.first[0].why, Why::InHeader);
}

#[test]
fn redaction_changes_the_fields_and_nothing_else() {
    let data = file(250);
    let selector = keys(&["country=de"]);
    for (fields, with) in [
        (&["meta"][..], None),
        (&["meta.email"], None),
        (&["meta.email"], Some("gone")),
        (&["tags", "ratio", "meta", "meta.email"], None),
        (&["tags"], None),
        (&["text"], Some("gone")),
        (&["scores"], None),
    ] {
        let (out, done) = rewritten(&data, Format::Parquet, &selector, &redact(fields, with));
        assert_eq!((done.rows_after, done.matched), (250, 84), "{fields:?}");
        for (at, (old, new)) in read(&data).iter().zip(read(&out)).enumerate() {
            for (column, field) in old.schema().fields().iter().enumerate() {
                let name = field.name().as_str();
                let meant =
                    at % 3 == 0 && fields.iter().any(|it| it.split('.').next() == Some(name));
                if !meant {
                    assert_eq!(old.column(column), new.column(column), "{fields:?} {name} {at}");
                } else if fields.contains(&name) {
                    match with {
                        None => assert!(new.column(column).is_null(0), "{fields:?} {name} {at}"),
                        Some(with) => {
                            let texts = new.column(column).as_any().downcast_ref::<StringArray>();
                            assert_eq!(texts.unwrap().value(0), with);
                        }
                    }
                } else {
                    redacted_mail(old.column(column), new.column(column), with);
                }
            }
        }
    }
}

fn redacted_mail(old: &ArrayRef, new: &ArrayRef, with: Option<&str>) {
    use arrow_array::Array;
    let old = old.as_any().downcast_ref::<StructArray>().unwrap();
    let new = new.as_any().downcast_ref::<StructArray>().unwrap();
    assert_eq!(old.is_null(0), new.is_null(0), "the object is as it was");
    if old.is_valid(0) {
        assert_eq!(old.column(1), new.column(1));
        let mails = new.column(0).as_any().downcast_ref::<StringArray>().unwrap();
        let was_there = old.column(0).is_valid(0);
        assert_eq!(mails.is_valid(0).then(|| mails.value(0)), with.filter(|_| was_there));
    }
}

#[test]
fn a_field_that_cannot_be_redacted_is_an_error() {
    let data = file(10);
    let run = |fields, with| {
        let mode = redact(fields, with);
        let parts = (&keys(&["id=1"]), &mode, Want::Places);
        rewrite(bytes(&data), &mut Vec::new(), Format::Parquet, parts, &mut |_| {})
    };
    assert!(matches!(run(&["id"], None), Err(Error::Required { field }) if field == "id"));
    assert!(matches!(run(&["id"], Some("x")), Err(Error::NotText { field }) if field == "id"));
    assert!(matches!(run(&["meta"], Some("x")), Err(Error::NotText { .. })));
    assert_eq!(run(&["absent"], None).unwrap().untouched, 1);
}

#[test]
fn a_list_of_objects_is_redacted_within() {
    let fields = Fields::from(vec![
        Field::new("mail", DataType::Utf8, true),
        Field::new("kind", DataType::Int64, false),
    ]);
    let mut list = ListBuilder::new(StructBuilder::from_fields(fields, 4));
    for (mail, kind) in [(Some("a"), 1), (None, 2), (Some("b"), 3), (Some("c"), 4)] {
        let item = list.values();
        item.field_builder::<StringBuilder>(0).unwrap().append_option(mail);
        item.field_builder::<Int64Builder>(1).unwrap().append_value(kind);
        item.append(true);
        if kind >= 3 {
            list.append(true);
        }
    }
    let list: ArrayRef = Arc::new(list.finish());
    let batch = RecordBatch::try_from_iter(vec![
        ("id", Arc::new(Int64Array::from(vec![1, 2])) as ArrayRef),
        ("contacts", list),
    ])
    .unwrap();
    let data = written(&batch, WriterProperties::default());
    assert_eq!(pq(&data, &keys(&["contacts.mail=b"])), [1]);
    let (out, _) =
        rewritten(&data, Format::Parquet, &keys(&["id=1"]), &redact(&["contacts.mail"], None));
    let mut records = Vec::new();
    let all = keys(&["contacts.kind=1"]);
    scan(bytes(&out), Format::Parquet, &all, Want::Records, &mut |it| records.push(it)).unwrap();
    let expected = r#"{"id":1,"contacts":[{"kind":1},{"kind":2},{"kind":3}]}"#;
    assert_eq!(records[0].canonical.clone().unwrap(), canonical_record(expected).unwrap());
    assert_eq!(pq(&out, &keys(&["contacts.mail=c"])), [2]);
}

#[test]
fn fingerprints_are_recognised_across_formats() {
    let data = file(120);
    let mut found = Vec::new();
    let selector = keys(&["id=110"]);
    scan(bytes(&data), Format::Parquet, &selector, Want::Records, &mut |it| found.push(it))
        .unwrap();
    let record = found[0].canonical.clone().unwrap();
    let set = FingerprintSet::new(SALT, [fingerprint(&SALT, &record)], Vec::new());
    let hits = find_fingerprints(bytes(&data), Format::Parquet, &set, 5).unwrap();
    assert_eq!(hits.first.iter().map(|hit| hit.row).collect::<Vec<_>>(), [111]);
    let line = [b"{}\n", &record[..]].concat();
    let hits = find_fingerprints(bytes(&line), JSON, &set, 5).unwrap();
    assert_eq!(hits.first[0].row, 2);
    let keyed = key_fingerprint(&SALT, keys(&["meta.email=user3@x.org"]).key_list());
    let set = FingerprintSet::new(SALT, [], vec![keyed]);
    let hits = find_fingerprints(bytes(&data), Format::Parquet, &set, 5).unwrap();
    assert_eq!((hits.first.len(), hits.first[0].row), (1, 4));
}

#[test]
fn a_profile_is_read_from_the_metadata() {
    let profile = profile(bytes(&file(250)), Format::Parquet).unwrap();
    assert_eq!(profile.rows, 250);
    let columns: Vec<_> =
        profile.columns.iter().map(|it| (it.name.as_str(), it.kind, it.nulls)).collect();
    assert_eq!(columns[0], ("id", ColumnKind::Integer, Some(0)));
    assert_eq!(columns[2], ("meta", ColumnKind::Object, None));
    assert_eq!(columns[3], ("tags", ColumnKind::List, None));
    assert_eq!(columns[6], ("ratio", ColumnKind::Number, Some(63)));
    assert_eq!(columns[10].1, ColumnKind::Timestamp);
}

#[test]
fn all_rows_can_go() {
    let (out, done) =
        rewritten(&file(250), Format::Parquet, &Selector::containing("said").unwrap(), &Mode::Drop);
    assert_eq!((done.rows_before, done.rows_after), (250, 0));
    assert_eq!(read(&out).len(), 0);
    assert_eq!(profile(bytes(&out), Format::Parquet).unwrap().columns.len(), 11);
}

/// Everything that can be done with a file; what it gives does not matter, only that it ends.
fn use_it(data: &[u8]) {
    let _ = profile(bytes(data), Format::Parquet);
    for selector in [keys(&["id=3"]), Selector::containing("user").unwrap()] {
        for mode in [Mode::Drop, redact(&["meta"], None)] {
            let parts = (&selector, &mode, Want::Records);
            let _ = rewrite(bytes(data), &mut std::io::sink(), Format::Parquet, parts, &mut |_| {});
        }
    }
}

#[test]
fn a_file_that_was_cut_off_is_an_error() {
    let data = file(20);
    for length in (0..data.len()).step_by(7) {
        let result = scan(
            bytes(&data[..length]),
            Format::Parquet,
            &keys(&["id=3"]),
            Want::Places,
            &mut |_| {},
        );
        assert!(
            matches!(result, Err(Error::Parquet(_) | Error::Broken { .. })),
            "{length}: {result:?}"
        );
    }
}

#[test]
fn damage_gives_errors_and_never_breaks_off() {
    let data = file(20);
    let footer = data.len() - 600;
    let places = (0..footer).step_by(101).chain((footer..data.len()).step_by(5));
    for (place, mask) in places.zip([0xFF, 0x01, 0x80].into_iter().cycle()) {
        let mut data = data.clone();
        data[place] ^= mask;
        use_it(&data);
    }
}

/// The most bytes that were in use at one moment are not asked of the allocator here, but of the
/// rows held at a time: no batch of a large group has more than a few megabytes.
#[test]
fn large_rows_are_held_a_few_at_a_time() {
    let texts = (0..64).map(|at| format!("{at:07}").repeat(150_000));
    let batch = RecordBatch::try_from_iter(vec![(
        "text",
        Arc::new(StringArray::from_iter_values(texts)) as ArrayRef,
    )])
    .unwrap();
    let data =
        written(&batch, WriterProperties::builder().set_compression(Compression::SNAPPY).build());
    assert!(data.len() < 20_000_000);
    let group = metadata(&data);
    let group = group.row_group(0);
    assert_eq!(group.num_rows(), 64);
    let held = super::super::parquet::batch_rows(group.total_byte_size(), group.num_rows());
    assert!((1..=16).contains(&held), "{held}");
    let selector = Selector::containing("0000063").unwrap();
    let (out, done) = rewritten(&data, Format::Parquet, &selector, &Mode::Drop);
    assert_eq!((done.rows_before, done.rows_after), (64, 63));
    assert!(read(&out)[..] == read(&data)[..63]);
}
