//! Parquet files that Arrow would not write: old types and layouts, indexes beside the columns.

use std::sync::Arc;

use ::bytes::Bytes;
use ::parquet::arrow::ProjectionMask;
use ::parquet::arrow::arrow_reader::{
    ArrowReaderOptions, ParquetRecordBatchReaderBuilder, RowSelection,
};
use ::parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use ::parquet::column::writer::ColumnWriterImpl;
use ::parquet::data_type::{
    ByteArray, ByteArrayType, DataType, FixedLenByteArray, FixedLenByteArrayType, Int32Type,
    Int64Type, Int96, Int96Type,
};
use ::parquet::file::metadata::PageIndexPolicy;
use ::parquet::file::properties::WriterProperties;
use ::parquet::file::reader::{FileReader, SerializedFileReader};
use ::parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use ::parquet::schema::parser::parse_message_type;

use super::*;

const SCHEMA: &str = "message old {
    required int64 id;
    optional int96 seen;
    optional binary price (DECIMAL(10, 2));
    optional fixed_len_byte_array(4) code;
    repeated int32 marks;
    optional group names (LIST) { repeated binary array (UTF8); }
    required group people (LIST) { repeated group array { optional binary mail (UTF8); } }
}";

fn put<T: DataType>(
    group: &mut SerializedRowGroupWriter<'_, &mut Vec<u8>>,
    values: &[T::T],
    definitions: &[i16],
    repetitions: &[i16],
) {
    let mut column = group.next_column().unwrap().unwrap();
    let typed: &mut ColumnWriterImpl<'_, T> = column.typed::<T>();
    let definitions = (!definitions.is_empty()).then_some(definitions);
    let repetitions = (!repetitions.is_empty()).then_some(repetitions);
    typed.write_batch(values, definitions, repetitions).unwrap();
    column.close().unwrap();
}

/// Four rows: 1 is full, 2 is empty, 3 has several items, 4 has other ones.
fn old() -> Vec<u8> {
    let mut out = Vec::new();
    let schema = Arc::new(parse_message_type(SCHEMA).unwrap());
    let mut writer = SerializedFileWriter::new(&mut out, schema, Arc::default()).unwrap();
    let mut group = writer.next_row_group().unwrap();
    let text = |text: &str| ByteArray::from(text);
    let moment = |nanos: u32| {
        let mut moment = Int96::new();
        moment.set_data(nanos, 0, 2_440_588);
        moment
    };
    let code = |code: &str| FixedLenByteArray::from(ByteArray::from(code));
    put::<Int64Type>(&mut group, &[1, 2, 3, 4], &[], &[]);
    put::<Int96Type>(&mut group, &[moment(1), moment(3), moment(4)], &[1, 0, 1, 1], &[]);
    let prices = [vec![0, 100], vec![1], vec![0xFF, 0x38]].map(ByteArray::from);
    put::<ByteArrayType>(&mut group, &prices, &[1, 0, 1, 1], &[]);
    put::<FixedLenByteArrayType>(&mut group, &[code("aaaa"), code("cccc")], &[1, 0, 1, 0], &[]);
    put::<Int32Type>(&mut group, &[10, 30, 31, 40], &[1, 0, 1, 1, 1], &[0, 0, 0, 1, 0]);
    let names = [text("ann"), text("cat"), text("cyd"), text("dan")];
    put::<ByteArrayType>(&mut group, &names, &[2, 0, 2, 2, 2], &[0, 0, 0, 1, 0]);
    let mails = [text("a@x"), text("c@x"), text("d@x")];
    put::<ByteArrayType>(&mut group, &mails, &[2, 0, 2, 1, 2], &[0, 0, 0, 1, 0]);
    group.close().unwrap();
    writer.close().unwrap();
    out
}

/// The levels and values of a column, as text.
fn column(data: &[u8], number: usize) -> String {
    fn all<T: DataType>(mut reader: ColumnReaderImpl<T>) -> String {
        let (mut definitions, mut repetitions, mut values) = (vec![], vec![], vec![]);
        let columns = (Some(&mut definitions), Some(&mut repetitions));
        reader.read_records(100, columns.0, columns.1, &mut values).unwrap();
        format!("{definitions:?} {repetitions:?} {values:?}")
    }
    let file = SerializedFileReader::new(Bytes::from(data.to_vec())).unwrap();
    let group = file.get_row_group(0).unwrap();
    match group.get_column_reader(number).unwrap() {
        ColumnReader::Int32ColumnReader(reader) => all(reader),
        ColumnReader::Int64ColumnReader(reader) => all(reader),
        ColumnReader::Int96ColumnReader(reader) => all(reader),
        ColumnReader::ByteArrayColumnReader(reader) => all(reader),
        ColumnReader::FixedLenByteArrayColumnReader(reader) => all(reader),
        _ => unreachable!("the schema has no other type"),
    }
}

fn levels(data: &[u8], number: usize) -> String {
    let column = column(data, number);
    let end = column.match_indices(']').nth(1).unwrap().0;
    column[..=end].to_owned()
}

#[test]
fn old_types_are_searched_and_kept() {
    let data = old();
    for (key, row) in [
        ("price=-2", 4),
        ("price=1.00", 1),
        ("marks=31", 3),
        ("names=cyd", 3),
        ("people.mail=d@x", 4),
        ("code=cccc", 3),
        ("seen=1970-01-01T00:00:00.000000003", 3),
    ] {
        assert_eq!(rows(&data, Format::Parquet, &keys(&[key])), [row], "{key}");
    }
    let (out, _) = rewritten(&data, Format::Parquet, &keys(&["id=2"]), &Mode::Drop);
    assert_eq!(levels(&out, 1), "[1, 1, 1] []");
    assert_eq!(levels(&out, 4), "[1, 1, 1, 1] [0, 0, 1, 0]");
    assert_eq!(levels(&out, 6), "[2, 2, 1, 2] [0, 0, 1, 0]");
    let values = |data: &[u8], number| {
        let column = column(data, number);
        column[levels(data, number).len()..].to_owned()
    };
    for number in 1..7 {
        assert_eq!(values(&out, number), values(&data, number), "row 2 had no value");
    }
}

#[test]
fn old_layouts_of_lists_are_redacted() {
    let data = old();
    let third = keys(&["id=3"]);
    for (field, number, expected) in [
        ("marks", 4, "[1, 0, 0, 1] [0, 0, 0, 0]"),
        ("names", 5, "[2, 0, 0, 2] [0, 0, 0, 0]"),
        ("people.mail", 6, "[2, 0, 1, 1, 2] [0, 0, 0, 1, 0]"),
        ("seen", 1, "[1, 0, 0, 1] []"),
        ("code", 3, "[1, 0, 0, 0] []"),
    ] {
        let (out, done) = rewritten(&data, Format::Parquet, &third, &redact(&[field], None));
        assert_eq!(levels(&out, number), expected, "{field}");
        assert_eq!((done.changed, done.rows_after), (1, 4), "{field}");
        for other in (0..7).filter(|other| *other != number) {
            assert_eq!(column(&out, other), column(&data, other), "{field} {other}");
        }
    }
}

#[test]
fn bloom_filters_and_page_indexes_are_right_after_rewriting() {
    let mut data = Vec::new();
    let schema = Arc::new(parse_message_type("message m { required int64 id; }").unwrap());
    let properties = WriterProperties::builder()
        .set_bloom_filter_enabled(true)
        .set_data_page_row_count_limit(100)
        .set_write_batch_size(100)
        .build();
    let mut writer = SerializedFileWriter::new(&mut data, schema, Arc::new(properties)).unwrap();
    for first in [0, 1000, 2000] {
        let mut group = writer.next_row_group().unwrap();
        put::<Int64Type>(&mut group, &(first..first + 1000).collect::<Vec<i64>>(), &[], &[]);
        group.close().unwrap();
    }
    writer.close().unwrap();
    let (out, done) = rewritten(&data, Format::Parquet, &keys(&["id=1500"]), &Mode::Drop);
    assert_eq!(done.rows_after, 2999);
    for group in 0..3 {
        let options = ArrowReaderOptions::new().with_page_index_policy(PageIndexPolicy::Required);
        let builder = || {
            let bytes = Bytes::from(out.clone());
            ParquetRecordBatchReaderBuilder::try_new_with_options(bytes, options.clone()).unwrap()
        };
        let filter = builder().get_row_group_column_bloom_filter(group, 0).unwrap().unwrap();
        let first = group as i64 * 1000;
        assert!((first..first + 1000).filter(|id| *id != 1500).all(|id| filter.check(&id)));
        let rows = if group == 1 { 999 } else { 1000 };
        let selection = RowSelection::from_consecutive_ranges(std::iter::once(700..703), rows);
        let reader = builder()
            .with_row_groups(vec![group])
            .with_projection(ProjectionMask::all())
            .with_row_selection(selection)
            .build()
            .unwrap();
        let batch = reader.map(Result::unwrap).next().unwrap();
        let ids = batch.column(0).as_any().downcast_ref::<arrow_array::Int64Array>().unwrap();
        let moved = i64::from(group == 1);
        assert_eq!(
            ids.values()[..],
            [first + 700 + moved, first + 701 + moved, first + 702 + moved]
        );
    }
}

/// A file without rows whose schema is so many groups within each other.
fn nested(depth: usize) -> Vec<u8> {
    let mut schema = vec![0x48, 1, b'm', 0x15, 4, 0];
    schema.extend_from_slice(&[0x15, 2, 0x25, 0, 0x18, 2, b'i', b'd', 0]);
    (0..depth).for_each(|_| schema.extend_from_slice(&[0x35, 2, 0x18, 1, b'a', 0x15, 2, 0]));
    schema.extend_from_slice(&[0x15, 2, 0x25, 0, 0x18, 1, b'a', 0]);
    let count = depth as u32 + 3;
    let digits = [count & 0x7F | 0x80, count >> 7 & 0x7F | 0x80, count >> 14].map(|it| it as u8);
    let before = [&[0x15, 2, 0x19, 0xFC][..], &digits].concat();
    let footer = [&before[..], &schema, &[0x16, 0, 0x19, 0x0C, 0]].concat();
    let length = (footer.len() as u32).to_le_bytes();
    [b"PAR1", &footer[..], &length, b"PAR1"].concat()
}

/// Without the look at the footer, 100,000 levels end the whole program.
#[test]
fn a_schema_nested_too_deep_is_refused() {
    assert_eq!(profile(bytes(&nested(100)), Format::Parquet).unwrap().columns.len(), 2);
    for depth in [128, 1000, 100_000] {
        let deep = profile(bytes(&nested(depth)), Format::Parquet);
        assert!(matches!(deep, Err(Error::Parquet(_))), "{depth}");
    }
}

#[test]
fn a_reader_that_breaks_off_is_an_error() {
    let broken: Result<(), Error> = super::super::parquet::unbroken(|| panic!("index {}", 7));
    assert!(matches!(broken, Err(Error::Broken { problem }) if problem == "index 7"));
}
