//! What a Parquet file is made of, by its metadata.

use arrow_schema::DataType;
use parquet::file::statistics::Statistics;

use super::super::profile::{Column, ColumnKind, Profile};
use super::super::trouble::Unreadable;
use super::Table;

/// Rows, columns, types; nulls where every group of rows tells them.
pub(super) fn of(table: &Table) -> Profile {
    let fields = table.metadata.schema().fields();
    let column = |(root, field): (usize, &arrow_schema::FieldRef)| Column {
        name: field.name().clone(),
        kind: kind(field.data_type()),
        nulls: nulls(table, root),
        declared: Some(field.data_type().to_string()),
    };
    Profile {
        rows: table.rows(),
        columns: fields.iter().enumerate().take(Profile::MOST_COLUMNS).map(column).collect(),
        more_columns: fields.len() > Profile::MOST_COLUMNS,
        unreadable: Unreadable::default(),
    }
}

/// How many values of a column that is neither object nor list are null.
fn nulls(table: &Table, root: usize) -> Option<u64> {
    let schema = table.metadata.parquet_schema();
    let mut leaves =
        (0..schema.num_columns()).filter(|leaf| schema.get_column_root_idx(*leaf) == root);
    let (leaf, None) = (leaves.next()?, leaves.next()) else { return None };
    let descriptor = schema.column(leaf);
    if descriptor.max_def_level() == 0 {
        return Some(0);
    }
    let flat = descriptor.path().parts().len() == 1 && descriptor.max_rep_level() == 0;
    let groups = table.file().row_groups().iter();
    let counts =
        groups.map(|group| group.column(leaf).statistics().and_then(Statistics::null_count_opt));
    if flat { counts.sum() } else { None }
}

fn kind(declared: &DataType) -> ColumnKind {
    match declared {
        DataType::Null => ColumnKind::Null,
        DataType::Boolean => ColumnKind::Boolean,
        kind if kind.is_integer() => ColumnKind::Integer,
        kind if kind.is_numeric() => ColumnKind::Number,
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => ColumnKind::Text,
        DataType::Date32 | DataType::Date64 => ColumnKind::Date,
        DataType::Timestamp(_, _) => ColumnKind::Timestamp,
        DataType::List(_) | DataType::LargeList(_) | DataType::FixedSizeList(_, _) => {
            ColumnKind::List
        }
        DataType::Struct(_) => ColumnKind::Object,
        DataType::Map(_, _) => ColumnKind::List,
        DataType::Time32(_) | DataType::Time64(_) | DataType::Interval(_) => ColumnKind::Text,
        _ => ColumnKind::Binary,
    }
}
