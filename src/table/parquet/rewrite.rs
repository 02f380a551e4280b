//! A Parquet file written anew, group of rows by group of rows.

use std::io::Write;
use std::sync::Arc;

use parquet::basic::{Encoding, PageType};
use parquet::bloom_filter::Sbbf;
use parquet::column::writer::ColumnCloseResult;
use parquet::errors::ParquetError;
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::file::properties::{
    EnabledStatistics, WriterProperties, WriterPropertiesBuilder, WriterVersion,
};
use parquet::file::reader::{FileReader, RowGroupReader};
use parquet::file::serialized_reader::SerializedFileReader;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};

use super::super::error::Error;
use super::column::{Job, copy};
use super::marks::Marks;
use super::redact::{Edit, Edits, Level};
use super::source::Shared;
use super::{Table, batch_rows, damaged};

/// A file being written.
pub(super) struct Output<'t, W: Write + Send> {
    table: &'t Table,
    reader: SerializedFileReader<Shared>,
    writer: SerializedFileWriter<W>,
    counts: Counts,
}

/// What has happened to rows.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Counts {
    pub(super) dropped: u64,
    pub(super) changed: u64,
    /// Rows in which the text that was to be redacted stands where it could not be.
    pub(super) remaining: u64,
}

impl<'t, W: Write + Send> Output<'t, W> {
    pub(super) fn new(table: &'t Table, out: W) -> Result<Self, Error> {
        let reader = SerializedFileReader::new(table.input.clone()).map_err(damaged)?;
        let schema = table.metadata.parquet_schema().root_schema_ptr();
        let writer = SerializedFileWriter::new(out, schema, Arc::new(properties(table)));
        let writer = writer.map_err(not_written)?;
        Ok(Self { table, reader, writer, counts: Counts::default() })
    }

    /// Writes what stays of a group. One without marks is copied byte by byte, which is fast and
    /// keeps what other versions of the file have in common with it.
    pub(super) fn group(
        &mut self,
        group: usize,
        marks: &Marks,
        edits: &Edits,
    ) -> Result<(), Error> {
        let rows = self.table.file().row_group(group).num_rows() as usize;
        match edits {
            _ if marks.count() == 0 => return self.copy_group(group),
            Edits::Drop => {
                self.counts.dropped += marks.count() as u64;
                if marks.count() == rows {
                    return Ok(());
                }
            }
            Edits::Redact(columns) if columns.iter().all(Option::is_none) => {
                return self.copy_group(group);
            }
            Edits::Redact(_) => {}
        }
        let reader = self.reader.get_row_group(group).map_err(damaged)?;
        let mut writer = self.writer.next_row_group().map_err(not_written)?;
        let mut changed = Marks::default();
        for column in 0..reader.num_columns() {
            let edit = match edits {
                Edits::Drop => None,
                Edits::Redact(columns) => Some(columns[column].as_ref()),
            };
            rewrite_column(&*reader, &mut writer, column, (marks, edit, &mut changed))?;
        }
        writer.close().map_err(not_written)?;
        self.counts.changed += changed.count() as u64;
        if let Edits::Redact(columns) = edits
            && columns.iter().flatten().any(|edit| matches!(edit, Edit::Holding { .. }))
        {
            self.counts.remaining += (marks.count() - changed.count()) as u64;
        }
        Ok(())
    }

    fn copy_group(&mut self, group: usize) -> Result<(), Error> {
        let metadata = self.table.file().row_group(group);
        let index = self.table.file().page_index();
        let mut writer = self.writer.next_row_group().map_err(not_written)?;
        for (number, column) in metadata.columns().iter().enumerate() {
            let filter = Sbbf::read_from_column_chunk(column, &self.table.input);
            let result = ColumnCloseResult {
                bytes_written: column.compressed_size().unsigned_abs(),
                rows_written: metadata.num_rows().unsigned_abs(),
                metadata: column.clone(),
                bloom_filter: filter.map_err(damaged)?,
                column_index: index.and_then(|index| index.column_index(group, number)).cloned(),
                offset_index: index.and_then(|index| index.offset_index(group, number)).cloned(),
            };
            writer.append_column(&self.table.input, result).map_err(not_written)?;
        }
        writer.close().map_err(not_written)?;
        Ok(())
    }

    /// Writes the end of the file.
    pub(super) fn finish(self) -> Result<Counts, Error> {
        let mut out = self.writer.into_inner().map_err(not_written)?;
        out.flush().map_err(Error::Write)?;
        Ok(self.counts)
    }
}

fn rewrite_column<W: Write + Send>(
    reader: &dyn RowGroupReader,
    writer: &mut SerializedRowGroupWriter<'_, W>,
    column: usize,
    (marks, edit, changed): (&Marks, Option<Option<&Edit>>, &mut Marks),
) -> Result<(), Error> {
    let metadata = reader.metadata();
    let chunk = metadata.column(column);
    let descriptor = chunk.column_descr();
    let rows = metadata.num_rows() as usize;
    let job = Job {
        marks,
        edit,
        batch: batch_rows(chunk.uncompressed_size(), metadata.num_rows()),
        rows,
        deepest: Level {
            definition: descriptor.max_def_level(),
            repetition: descriptor.max_rep_level(),
        },
        changed,
    };
    let values = reader.get_column_reader(column).map_err(damaged)?;
    let next = writer.next_column().map_err(not_written)?;
    let mut next = next.ok_or_else(|| Error::Parquet("a group has too many columns".into()))?;
    copy(values, next.untyped(), job).map_err(damaged)?;
    next.close().map_err(not_written)
}

/// How the file was written, as far as its metadata tells: by its first group of rows.
fn properties(table: &Table) -> WriterProperties {
    let file = table.file().file_metadata();
    let mut builder = WriterProperties::builder()
        .set_key_value_metadata(file.key_value_metadata().cloned())
        .set_dictionary_enabled(false);
    if let Some(first) = table.file().row_groups().first() {
        builder = builder.set_sorting_columns(first.sorting_columns().cloned());
        if first.columns().iter().any(has_second_pages) {
            builder = builder.set_writer_version(WriterVersion::PARQUET_2_0);
        }
        builder = first.columns().iter().fold(builder, column_properties);
    }
    builder.build()
}

fn has_second_pages(column: &ColumnChunkMetaData) -> bool {
    let pages = column.page_encoding_stats();
    pages.is_some_and(|pages| pages.iter().any(|page| page.page_type == PageType::DATA_PAGE_V2))
}

fn column_properties(
    builder: WriterPropertiesBuilder,
    column: &ColumnChunkMetaData,
) -> WriterPropertiesBuilder {
    let path = || column.column_path().clone();
    let encodings: Vec<Encoding> = column.encodings().collect();
    let dictionary = [Encoding::RLE_DICTIONARY, Encoding::PLAIN_DICTIONARY];
    let special = [
        Encoding::DELTA_BINARY_PACKED,
        Encoding::DELTA_LENGTH_BYTE_ARRAY,
        Encoding::DELTA_BYTE_ARRAY,
        Encoding::BYTE_STREAM_SPLIT,
    ];
    let statistics = match column.statistics() {
        None => EnabledStatistics::None,
        Some(_) if column.column_index_offset().is_some() => EnabledStatistics::Page,
        Some(_) => EnabledStatistics::Chunk,
    };
    let builder = builder
        .set_column_compression(path(), column.compression())
        .set_column_dictionary_enabled(path(), encodings.iter().any(|it| dictionary.contains(it)))
        .set_column_statistics_enabled(path(), statistics)
        .set_column_bloom_filter_enabled(path(), column.bloom_filter_offset().is_some());
    match encodings.into_iter().find(|it| special.contains(it)) {
        Some(encoding) => builder.set_column_encoding(path(), encoding),
        None => builder,
    }
}

fn not_written(error: ParquetError) -> Error {
    match error {
        ParquetError::External(cause) => match cause.downcast::<std::io::Error>() {
            Ok(error) => Error::Write(*error),
            Err(cause) => Error::WriteParquet(cause),
        },
        error => Error::WriteParquet(Box::new(error)),
    }
}
