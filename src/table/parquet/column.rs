//! A column rewritten, on its levels and values.

use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::column::writer::{ColumnWriter, ColumnWriterImpl};
use parquet::data_type::{ByteArray, DataType};
use parquet::errors::{ParquetError, Result};

use super::marks::Marks;
use super::redact::{Edit, Instead, Level};

/// What to do with a column of a group of rows.
pub(super) struct Job<'j> {
    /// The rows that are meant.
    pub(super) marks: &'j Marks,
    /// What happens to their values; `None` if the rows go.
    pub(super) edit: Option<Option<&'j Edit>>,
    /// How many rows to hold at a time.
    pub(super) batch: usize,
    /// How many rows the group has.
    pub(super) rows: usize,
    /// The column's deepest levels.
    pub(super) deepest: Level,
    /// Rows in which something has changed.
    pub(super) changed: &'j mut Marks,
}

/// What an edit needs to know of values of one type.
struct Texts<T> {
    /// The value with this text.
    of: fn(&str) -> Option<T>,
    /// The bytes of a value that may hold text.
    bytes: fn(&T) -> Option<&[u8]>,
}

impl<T> Texts<T> {
    const NONE: Self = Self { of: |_| None, bytes: |_| None };
}

/// Copies a column but for what the job takes out of it.
pub(super) fn copy(
    reader: ColumnReader,
    writer: &mut ColumnWriter<'_>,
    job: Job<'_>,
) -> Result<()> {
    use {ColumnReader as R, ColumnWriter as W};
    match (reader, writer) {
        (R::BoolColumnReader(r), W::BoolColumnWriter(w)) => typed(r, w, job, Texts::NONE),
        (R::Int32ColumnReader(r), W::Int32ColumnWriter(w)) => typed(r, w, job, Texts::NONE),
        (R::Int64ColumnReader(r), W::Int64ColumnWriter(w)) => typed(r, w, job, Texts::NONE),
        (R::Int96ColumnReader(r), W::Int96ColumnWriter(w)) => typed(r, w, job, Texts::NONE),
        (R::FloatColumnReader(r), W::FloatColumnWriter(w)) => typed(r, w, job, Texts::NONE),
        (R::DoubleColumnReader(r), W::DoubleColumnWriter(w)) => typed(r, w, job, Texts::NONE),
        (R::ByteArrayColumnReader(r), W::ByteArrayColumnWriter(w)) => {
            let texts = Texts {
                of: |text| Some(ByteArray::from(text)),
                bytes: |value: &ByteArray| Some(value.data()),
            };
            typed(r, w, job, texts)
        }
        (R::FixedLenByteArrayColumnReader(r), W::FixedLenByteArrayColumnWriter(w)) => {
            typed(r, w, job, Texts::NONE)
        }
        _ => Err(ParquetError::General("a column has two types".to_owned())),
    }
}

/// Levels and values, with a value for each entry of the deepest definition level.
struct Entries<T> {
    definitions: Vec<i16>,
    repetitions: Vec<i16>,
    values: Vec<T>,
}

impl<T> Entries<T> {
    fn new() -> Self {
        Self { definitions: Vec::new(), repetitions: Vec::new(), values: Vec::new() }
    }

    fn clear(&mut self) {
        self.definitions.clear();
        self.repetitions.clear();
        self.values.clear();
    }

    fn push(&mut self, level: Level, value: Option<T>) {
        self.definitions.push(level.definition);
        self.repetitions.push(level.repetition);
        self.values.extend(value);
    }
}

fn typed<T: DataType>(
    mut reader: ColumnReaderImpl<T>,
    writer: &mut ColumnWriterImpl<'_, T>,
    mut job: Job<'_>,
    texts: Texts<T::T>,
) -> Result<()> {
    let (mut entries, mut kept) = (Entries::new(), Entries::new());
    let mut row = 0;
    loop {
        entries.clear();
        kept.clear();
        let (records, _, levels) = reader.read_records(
            job.batch,
            (job.deepest.definition > 0).then_some(&mut entries.definitions),
            (job.deepest.repetition > 0).then_some(&mut entries.repetitions),
            &mut entries.values,
        )?;
        if records == 0 {
            break;
        }
        job.filter(row, levels.max(records), &mut entries, &mut kept, &texts)?;
        row += records;
        writer.write_batch(
            &kept.values,
            (job.deepest.definition > 0).then_some(&kept.definitions[..]),
            (job.deepest.repetition > 0).then_some(&kept.repetitions[..]),
        )?;
    }
    if row != job.rows {
        let problem = format!("a column has {row} rows instead of {}", job.rows);
        return Err(ParquetError::General(problem));
    }
    Ok(())
}

impl Job<'_> {
    /// Moves what stays from `entries`, of which the first belongs to `row`, to `kept`.
    fn filter<T: Clone + PartialEq>(
        &mut self,
        row: usize,
        count: usize,
        entries: &mut Entries<T>,
        kept: &mut Entries<T>,
        texts: &Texts<T>,
    ) -> Result<()> {
        let mut values = entries.values.drain(..);
        let mut next_row = row;
        let mut nulled = false;
        for entry in 0..count {
            let level = Level {
                definition: entries.definitions.get(entry).copied().unwrap_or(0),
                repetition: entries.repetitions.get(entry).copied().unwrap_or(0),
            };
            next_row += usize::from(level.repetition == 0);
            let row = next_row.saturating_sub(1);
            let there = level.definition == self.deepest.definition;
            let value = if there {
                let missing = || ParquetError::General("a column has too few values".to_owned());
                Some(values.next().ok_or_else(missing)?)
            } else {
                None
            };
            let edit = match (self.marks.has(row), self.edit) {
                (false, _) | (true, Some(None)) => {
                    kept.push(level, value);
                    continue;
                }
                (true, None) => continue,
                (true, Some(Some(edit))) => edit,
            };
            if self.redact(edit, level, value, kept, texts, &mut nulled) {
                self.changed.set(row);
            }
        }
        Ok(())
    }

    /// Puts what becomes of an entry to `kept`; whether it has changed.
    fn redact<T: PartialEq>(
        &self,
        edit: &Edit,
        level: Level,
        value: Option<T>,
        kept: &mut Entries<T>,
        texts: &Texts<T>,
        nulled: &mut bool,
    ) -> bool {
        match edit {
            Edit::Null(field) => {
                // Entries that continue a field which became null go with it.
                if level.repetition <= field.repetition {
                    *nulled = level.definition >= field.definition;
                    let definition = level.definition.min(field.definition - 1);
                    let value = if *nulled { None } else { value };
                    kept.push(Level { definition, ..level }, value);
                } else if !*nulled {
                    kept.push(level, value);
                }
                *nulled
            }
            Edit::Text(text) => {
                let new = value.as_ref().and_then(|_| (texts.of)(text));
                let changed = new.is_some() && new != value;
                kept.push(level, new.or(value));
                changed
            }
            Edit::Holding { finder, with } => {
                let bytes = value.as_ref().and_then(|value| (texts.bytes)(value));
                if bytes.is_none_or(|bytes| finder.find(bytes).is_none()) {
                    kept.push(level, value);
                    return false;
                }
                match with {
                    Instead::Text(text) => kept.push(level, (texts.of)(text)),
                    Instead::Null => {
                        kept.push(Level { definition: level.definition - 1, ..level }, None);
                    }
                }
                true
            }
        }
    }
}
