//! Values of Arrow as values of JSON (`docs/format.md`, "Record fingerprints").

use std::borrow::Cow;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Date32Type, Decimal32Type, Decimal64Type, Decimal128Type, Decimal256Type,
    DecimalType, Float16Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    IntervalDayTimeType, Time32MillisecondType, Time64MicrosecondType, Time64NanosecondType,
    TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType, UInt8Type,
    UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, RecordBatch};
use arrow_schema::{DataType, TimeUnit};

use super::super::error::Error;
use super::super::json::{Node, Value};

/// The row as an object of its columns.
pub(super) fn row(batch: &RecordBatch, row: usize) -> Result<Node<'_>, Error> {
    let fields = batch.schema_ref().fields().iter().zip(batch.columns());
    let members = fields.map(|(field, column)| {
        // The names live as long as the batch, but the schema is behind a pointer of its own.
        Ok((Cow::Owned(field.name().clone()), Node::anywhere(value(column.as_ref(), row)?)))
    });
    Ok(Node::anywhere(Value::Object(members.collect::<Result<_, Error>>()?)))
}

/// The value at `at`.
///
/// # Errors
///
/// If Arrow has a type there that the Parquet reader does not make.
pub(super) fn value(array: &dyn Array, at: usize) -> Result<Value<'_>, Error> {
    if array.is_null(at) {
        return Ok(Value::Null);
    }
    Ok(match array.data_type() {
        DataType::Null => Value::Null,
        DataType::Boolean => Value::Bool(array.as_boolean().value(at)),
        DataType::Utf8 => Value::Text(Cow::Borrowed(array.as_string::<i32>().value(at))),
        DataType::LargeUtf8 => Value::Text(Cow::Borrowed(array.as_string::<i64>().value(at))),
        DataType::Binary => binary(array.as_binary::<i32>().value(at)),
        DataType::LargeBinary => binary(array.as_binary::<i64>().value(at)),
        DataType::FixedSizeBinary(_) => binary(array.as_fixed_size_binary().value(at)),
        DataType::List(_) => list(array.as_list::<i32>().value(at).as_ref())?,
        DataType::LargeList(_) => list(array.as_list::<i64>().value(at).as_ref())?,
        DataType::FixedSizeList(_, _) => list(array.as_fixed_size_list().value(at).as_ref())?,
        DataType::Struct(fields) => {
            let columns = array.as_struct().columns().iter();
            let members = fields.iter().zip(columns).map(|(field, column)| {
                Ok((Cow::Borrowed(field.name().as_str()), Node::anywhere(value(column, at)?)))
            });
            Value::Object(members.collect::<Result<_, Error>>()?)
        }
        DataType::Map(_, _) => map(&array.as_map().value(at))?,
        _ => scalar(array, at)?,
    })
}

/// A number, day or time.
fn scalar(array: &dyn Array, at: usize) -> Result<Value<'static>, Error> {
    let number = |text: String| Value::Number(Cow::Owned(text));
    let text = |text: String| Value::Text(Cow::Owned(text));
    Ok(match array.data_type() {
        DataType::Int8 => number(native::<Int8Type>(array, at).to_string()),
        DataType::Int16 => number(native::<Int16Type>(array, at).to_string()),
        DataType::Int32 => number(native::<Int32Type>(array, at).to_string()),
        DataType::Int64 => number(native::<Int64Type>(array, at).to_string()),
        DataType::UInt8 => number(native::<UInt8Type>(array, at).to_string()),
        DataType::UInt16 => number(native::<UInt16Type>(array, at).to_string()),
        DataType::UInt32 => number(native::<UInt32Type>(array, at).to_string()),
        DataType::UInt64 => number(native::<UInt64Type>(array, at).to_string()),
        DataType::Float16 => number(float(native::<Float16Type>(array, at).to_f64())),
        DataType::Float32 => number(float(f64::from(native::<Float32Type>(array, at)))),
        DataType::Float64 => number(float(native::<Float64Type>(array, at))),
        DataType::Decimal32(_, _) => number(decimal::<Decimal32Type>(array, at)),
        DataType::Decimal64(_, _) => number(decimal::<Decimal64Type>(array, at)),
        DataType::Decimal128(_, _) => number(decimal::<Decimal128Type>(array, at)),
        DataType::Decimal256(_, _) => number(decimal::<Decimal256Type>(array, at)),
        DataType::Date32 => text(day(i64::from(native::<Date32Type>(array, at)))),
        DataType::Time32(TimeUnit::Millisecond) => {
            text(clock(i64::from(native::<Time32MillisecondType>(array, at)), 3))
        }
        DataType::Time64(TimeUnit::Microsecond) => {
            text(clock(native::<Time64MicrosecondType>(array, at), 6))
        }
        DataType::Time64(TimeUnit::Nanosecond) => {
            text(clock(native::<Time64NanosecondType>(array, at), 9))
        }
        DataType::Timestamp(unit, zone) => {
            let (count, digits) = match unit {
                TimeUnit::Millisecond => (native::<TimestampMillisecondType>(array, at), 3),
                TimeUnit::Microsecond => (native::<TimestampMicrosecondType>(array, at), 6),
                TimeUnit::Nanosecond => (native::<TimestampNanosecondType>(array, at), 9),
                TimeUnit::Second => return Err(unknown(array)),
            };
            let zone = if zone.is_some() { "Z" } else { "" };
            text(format!("{}{zone}", moment(count, digits)))
        }
        DataType::Interval(arrow_schema::IntervalUnit::DayTime) => {
            let interval = native::<IntervalDayTimeType>(array, at);
            text(format!("{} days {} ms", interval.days, interval.milliseconds))
        }
        _ => return Err(unknown(array)),
    })
}

fn unknown(array: &dyn Array) -> Error {
    Error::Parquet(format!("values of type {} cannot be read", array.data_type()).into())
}

fn native<T: ArrowPrimitiveType>(array: &dyn Array, at: usize) -> T::Native {
    array.as_primitive::<T>().value(at)
}

fn decimal<T: DecimalType + ArrowPrimitiveType>(array: &dyn Array, at: usize) -> String {
    array.as_primitive::<T>().value_as_string(at)
}

/// Text if the bytes are one, otherwise their hexadecimal digits.
fn binary(bytes: &[u8]) -> Value<'_> {
    Value::Text(match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => Cow::Owned(bytes.iter().map(|byte| format!("{byte:02x}")).collect()),
    })
}

/// The items, which live shorter than the array that they were cut from.
fn list(items: &dyn Array) -> Result<Value<'static>, Error> {
    let nodes = (0..items.len()).map(|at| Ok(Node::anywhere(owned(value(items, at)?))));
    Ok(Value::List(nodes.collect::<Result<_, Error>>()?))
}

/// A map as a list of pairs: its keys need not be texts, nor different.
fn map(entries: &arrow_array::StructArray) -> Result<Value<'static>, Error> {
    let pairs = (0..entries.len()).map(|at| {
        let pair = entries.columns().iter().map(|side| {
            let side: &dyn Array = side.as_ref();
            Ok(Node::anywhere(owned(value(side, at)?)))
        });
        Ok(Node::anywhere(Value::List(pair.collect::<Result<_, Error>>()?)))
    });
    Ok(Value::List(pairs.collect::<Result<_, Error>>()?))
}

fn owned(value: Value<'_>) -> Value<'static> {
    let node = |node: Node<'_>| Node::anywhere(owned(node.value));
    match value {
        Value::Null => Value::Null,
        Value::Bool(truth) => Value::Bool(truth),
        Value::Number(text) => Value::Number(Cow::Owned(text.into_owned())),
        Value::Text(text) => Value::Text(Cow::Owned(text.into_owned())),
        Value::List(items) => Value::List(items.into_iter().map(node).collect()),
        Value::Object(members) => {
            let member = |(name, value): (Cow<'_, str>, Node<'_>)| {
                (Cow::Owned(name.into_owned()), node(value))
            };
            Value::Object(members.into_iter().map(member).collect())
        }
    }
}

/// The shortest text from which the double can be read again, as JSON would have it.
pub(super) fn float(number: f64) -> String {
    if number.is_nan() {
        "NaN".to_owned()
    } else if number.is_infinite() {
        if number > 0.0 { "Infinity" } else { "-Infinity" }.to_owned()
    } else if number != 0.0 && !(1e-5..1e17).contains(&number.abs()) {
        format!("{number:e}")
    } else {
        number.to_string()
    }
}

/// A day, counted from 1970-01-01, in the proleptic Gregorian calendar.
///
/// By eras of 400 years that begin on 1 March (Hinnant, "chrono-compatible low-level date
/// algorithms").
fn day(days: i64) -> String {
    let shifted = days + 719_468;
    let (era, of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

/// A time of day, counted in units of 10^-`digits` seconds; no zeros at the end of the fraction.
fn clock(count: i64, digits: u32) -> String {
    let unit = 10_i64.pow(digits);
    let (seconds, fraction) = (count.div_euclid(unit), count.rem_euclid(unit));
    let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
    let whole = format!("{hours:02}:{minutes:02}:{:02}", seconds % 60);
    if fraction == 0 {
        return whole;
    }
    let fraction = format!("{fraction:0width$}", width = digits as usize);
    format!("{whole}.{}", fraction.trim_end_matches('0'))
}

fn moment(count: i64, digits: u32) -> String {
    let per_day = 86_400 * 10_i64.pow(digits);
    let (days, rest) = (count.div_euclid(per_day), count.rem_euclid(per_day));
    format!("{}T{}", day(days), clock(rest, digits))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_as_iso_8601_writes_them() {
        assert_eq!(moment(0, 3), "1970-01-01T00:00:00");
        assert_eq!(moment(1_795_443_000_120, 3), "2026-11-23T14:10:00.12");
        assert_eq!(moment(-1, 9), "1969-12-31T23:59:59.999999999");
        assert_eq!(day(19_782), "2024-02-29");
        assert_eq!(day(-719_162), "0001-01-01");
        assert_eq!(clock(86_399_000_001, 6), "23:59:59.000001");
    }

    #[test]
    fn floats_are_read_back_as_they_were() {
        for number in [0.1, -0.0, 1e300, 5e-324, 123_456_789.125, 1e17, f64::from(0.1_f32)] {
            assert_eq!(float(number).parse::<f64>().unwrap().to_bits(), number.to_bits());
        }
        assert_eq!(float(0.1), "0.1");
        assert_eq!(float(f64::NEG_INFINITY), "-Infinity");
    }
}
