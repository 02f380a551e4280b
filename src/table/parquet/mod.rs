//! Parquet: reading by Arrow, rewriting by columns.
//!
//! Rows are found in batches of Arrow. A file is rewritten below Arrow, on the levels and values of
//! each column (Dremel, Melnik et al., 2010), because a detour through Arrow's types would not give
//! back every physical type, and would hold whole groups of rows in memory.
//! Invariant: no input makes a function here panic; what the reader underneath breaks off on is
//! [`Error::Broken`].

mod column;
mod footer;
mod marks;
mod profile;
mod redact;
mod rewrite;
mod select;
mod source;
mod value;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader,
    ParquetRecordBatchReaderBuilder, RowSelection,
};
use parquet::errors::ParquetError;
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData};

use super::ReadSeek;
use super::error::Error;
use super::fingerprint::{FingerprintSet, Hit, Hits};
use super::outcome::{Match, Mode, Rewritten, Scan, Want};
use super::profile::Profile;
use super::selector::Selector;
use source::Shared;

/// So many bytes of rows are decoded at a time, and at most so many rows.
const BATCH_BYTES: i64 = 8 * 1024 * 1024;
const BATCH_ROWS: i64 = 8192;

/// A Parquet file whose metadata has been read.
struct Table {
    input: Shared,
    metadata: ArrowReaderMetadata,
}

impl Table {
    fn open(source: Box<dyn ReadSeek>) -> Result<Self, Error> {
        let input = Shared::new(source)?;
        footer::check(&input)?;
        // The schema that Arrow leaves in the metadata would only add types that mean the same.
        let options = ArrowReaderOptions::new()
            .with_skip_arrow_metadata(true)
            .with_page_index_policy(PageIndexPolicy::Optional);
        let metadata = ArrowReaderMetadata::load(&input, options).map_err(damaged)?;
        let table = Self { input, metadata };
        table.check()?;
        Ok(table)
    }

    /// Refuses counts and places that no file can have, on which the reader would break off.
    fn check(&self) -> Result<(), Error> {
        let length = parquet::file::reader::Length::len(&self.input);
        for group in self.file().row_groups() {
            let columns_fit = group.columns().iter().all(|column| {
                let start = column.dictionary_page_offset().unwrap_or(column.data_page_offset());
                let end = start.checked_add(column.compressed_size());
                start >= 0
                    && column.compressed_size() >= 0
                    && column.num_values() >= 0
                    && end.is_some_and(|end| end as u64 <= length)
            });
            if !columns_fit || group.num_rows() < 0 || group.num_columns() != self.columns() {
                return Err(Error::Parquet("the places of its columns are wrong".into()));
            }
        }
        Ok(())
    }

    fn file(&self) -> &Arc<ParquetMetaData> {
        self.metadata.metadata()
    }

    fn columns(&self) -> usize {
        self.metadata.parquet_schema().num_columns()
    }

    fn groups(&self) -> usize {
        self.file().num_row_groups()
    }

    /// The rows of a group: all, or those selected.
    fn batches(
        &self,
        group: usize,
        columns: ProjectionMask,
        selection: Option<RowSelection>,
    ) -> Result<ParquetRecordBatchReader, Error> {
        let metadata = self.file().row_group(group);
        let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(
            self.input.clone(),
            self.metadata.clone(),
        );
        let size = batch_rows(metadata.total_byte_size(), metadata.num_rows());
        let builder =
            builder.with_row_groups(vec![group]).with_projection(columns).with_batch_size(size);
        let builder = match selection {
            Some(selection) => builder.with_row_selection(selection),
            None => builder,
        };
        builder.build().map_err(damaged)
    }

    fn rows(&self) -> u64 {
        let groups = self.file().row_groups().iter().map(|group| group.num_rows().unsigned_abs());
        groups.fold(0, u64::saturating_add)
    }
}

/// How many rows to decode at a time, if `rows` of them have `bytes`.
pub(super) fn batch_rows(bytes: i64, rows: i64) -> usize {
    let per_row = (bytes / rows.max(1)).max(1);
    (BATCH_BYTES / per_row).clamp(1, BATCH_ROWS) as usize
}

fn damaged(error: ParquetError) -> Error {
    match error {
        ParquetError::External(cause) => match cause.downcast::<std::io::Error>() {
            Ok(error) => Error::Read(*error),
            Err(cause) => Error::Parquet(cause),
        },
        error => Error::Parquet(Box::new(error)),
    }
}

fn batch_damaged(error: arrow_schema::ArrowError) -> Error {
    Error::Parquet(Box::new(error))
}

/// Runs `inner`; the libraries underneath break off on some damaged files.
pub(super) fn unbroken<T>(inner: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    // Nothing that `inner` has changed is looked at again after it broke off.
    catch_unwind(AssertUnwindSafe(inner)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
        Err(Error::Broken { problem: text.unwrap_or("for no stated reason").to_owned() })
    })
}

pub(super) fn scan(
    source: Box<dyn ReadSeek>,
    selector: &Selector,
    want: Want,
    found: &mut dyn FnMut(Match),
) -> Result<Scan, Error> {
    unbroken(|| {
        let table = Table::open(source)?;
        let mut search = select::Search::new(&table, selector)?;
        for group in 0..table.groups() {
            let marks = search.mark(group)?;
            search.tell(group, &marks, want, found)?;
        }
        Ok(search.finish(table.rows()))
    })
}

pub(super) fn rewrite(
    source: Box<dyn ReadSeek>,
    out: &mut (dyn std::io::Write + Send),
    (selector, mode, want): (&Selector, &Mode, Want),
    found: &mut dyn FnMut(Match),
) -> Result<Rewritten, Error> {
    unbroken(|| {
        let table = Table::open(source)?;
        let mut search = select::Search::new(&table, selector)?;
        let edits = redact::edits(table.metadata.parquet_schema(), selector, mode)?;
        let mut output = rewrite::Output::new(&table, out)?;
        for group in 0..table.groups() {
            let marks = search.mark(group)?;
            search.tell(group, &marks, want, found)?;
            output.group(group, &marks, &edits)?;
        }
        let counts = output.finish()?;
        let scan = search.finish(table.rows());
        let mut unreadable = scan.unreadable;
        if counts.remaining > 0 {
            unreadable.add(0, None, super::trouble::Why::Remains);
        }
        Ok(Rewritten {
            rows_before: scan.rows,
            rows_after: scan.rows - counts.dropped,
            matched: scan.matched,
            changed: counts.changed,
            untouched: scan.matched - counts.dropped - counts.changed,
            unreadable,
            absent_keys: scan.absent_keys,
        })
    })
}

pub(super) fn find_fingerprints(
    source: Box<dyn ReadSeek>,
    set: &FingerprintSet,
    limit: usize,
) -> Result<Hits, Error> {
    unbroken(|| {
        let table = Table::open(source)?;
        let mut hits = Hits::default();
        let mut number = 0;
        for group in 0..table.groups() {
            for batch in table.batches(group, ProjectionMask::all(), None)? {
                let batch = batch.map_err(batch_damaged)?;
                for at in 0..batch.num_rows() {
                    number += 1;
                    let Some(what) = set.recognise(&value::row(&batch, at)?) else { continue };
                    hits.first.push(Hit { row: number, bytes: None, what });
                    if hits.first.len() >= limit {
                        return Ok(hits);
                    }
                }
            }
        }
        Ok(hits)
    })
}

pub(super) fn profile(source: Box<dyn ReadSeek>) -> Result<Profile, Error> {
    unbroken(|| Ok(profile::of(&Table::open(source)?)))
}
