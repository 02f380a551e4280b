//! Which values of which columns go when rows are redacted.

use std::ops::Range;

use memchr::memmem::Finder;
use parquet::basic::{ConvertedType, LogicalType, Repetition, Type as Physical};
use parquet::schema::types::{ColumnDescriptor, SchemaDescriptor, Type};

use super::super::error::Error;
use super::super::outcome::Mode;
use super::super::selector::{Selector, below};

/// What happens to the rows that are meant.
pub(super) enum Edits {
    /// They go.
    Drop,
    /// They stay, and in each column this happens.
    Redact(Vec<Option<Edit>>),
}

/// What happens to the values of a column in the rows that are meant.
#[derive(Debug, Clone)]
pub(super) enum Edit {
    /// The field that the column is, or is part of, becomes null where it is not.
    Null(Level),
    /// Every value becomes this text.
    Text(String),
    /// Values that hold the text become another one, or null.
    Holding { finder: Box<Finder<'static>>, with: Instead },
}

/// What takes the place of a value.
#[derive(Debug, Clone)]
pub(super) enum Instead {
    Text(String),
    Null,
}

/// Where a field stands in Dremel's levels: from which definition level it is there, and from which
/// repetition level on entries continue it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Level {
    pub(super) definition: i16,
    pub(super) repetition: i16,
}

/// What to do with each column of a file.
///
/// # Errors
///
/// If a field cannot become what it should: null where it is required, text where it holds none.
pub(super) fn edits(
    schema: &SchemaDescriptor,
    selector: &Selector,
    mode: &Mode,
) -> Result<Edits, Error> {
    let (fields, with) = match mode {
        Mode::Drop => return Ok(Edits::Drop),
        Mode::Redact { fields, with } => (fields, with.as_deref()),
    };
    let mut edits: Vec<Option<(i16, Edit)>> = vec![None; schema.num_columns()];
    let mut found = Vec::new();
    for field in fields {
        let root = Place { level: Level { definition: 0, repetition: 0 }, first: 0 };
        members(schema.root_schema(), root, field, &mut found);
    }
    for field in found {
        let edit = field.edit(schema, with)?;
        for column in field.columns.clone() {
            // Of fields within each other the outer one decides.
            let depth = field.level.definition;
            if edits[column].as_ref().is_none_or(|(before, _)| depth < *before) {
                edits[column] = Some((depth, edit.clone()));
            }
        }
    }
    let mut edits: Vec<Option<Edit>> = edits.into_iter().map(|edit| Some(edit?.1)).collect();
    if let (true, Selector::Contains(text)) = (fields.is_empty(), selector) {
        for (column, edit) in edits.iter_mut().enumerate() {
            *edit = holding(&schema.column(column), text, with);
        }
    }
    Ok(Edits::Redact(edits))
}

/// The edit for a column in which texts can hold what is looked for.
fn holding(column: &ColumnDescriptor, text: &str, with: Option<&str>) -> Option<Edit> {
    let optional = column.self_type().get_basic_info().repetition() == Repetition::OPTIONAL;
    let with = match with {
        Some(text) => Instead::Text(text.to_owned()),
        None if optional => Instead::Null,
        // Where a value has to be, the empty text says as little.
        None => Instead::Text(String::new()),
    };
    let bytes = column.physical_type() == Physical::BYTE_ARRAY && !is_decimal(column);
    bytes.then(|| Edit::Holding { finder: Box::new(Finder::new(text).into_owned()), with })
}

fn is_decimal(column: &ColumnDescriptor) -> bool {
    column.converted_type() == ConvertedType::DECIMAL
        || matches!(column.logical_type_ref(), Some(LogicalType::Decimal { .. }))
}

/// A field of the schema.
struct Field {
    name: String,
    level: Level,
    columns: Range<usize>,
    repetition: Repetition,
    is_leaf: bool,
}

impl Field {
    fn edit(&self, schema: &SchemaDescriptor, with: Option<&str>) -> Result<Edit, Error> {
        let name = || self.name.clone();
        if let Some(text) = with {
            let column = schema.column(self.columns.start);
            let texts = self.is_leaf
                && column.physical_type() == Physical::BYTE_ARRAY
                && !is_decimal(&column);
            return match texts {
                true => Ok(Edit::Text(text.to_owned())),
                false => Err(Error::NotText { field: name() }),
            };
        }
        match self.repetition {
            Repetition::OPTIONAL => Ok(Edit::Null(self.level)),
            // A repeated field becomes an empty one, for which its first entry has to stand.
            Repetition::REPEATED => {
                Ok(Edit::Null(Level { repetition: self.level.repetition - 1, ..self.level }))
            }
            Repetition::REQUIRED => Err(Error::Required { field: name() }),
        }
    }
}

/// A place in the schema: its level, and the first column in it.
#[derive(Clone, Copy)]
struct Place {
    level: Level,
    first: usize,
}

impl Place {
    fn into(self, node: &Type) -> Self {
        let (definition, repetition) = match repetition(node) {
            Repetition::REQUIRED => (0, 0),
            Repetition::OPTIONAL => (1, 0),
            Repetition::REPEATED => (1, 1),
        };
        let level = Level {
            definition: self.level.definition + definition,
            repetition: self.level.repetition + repetition,
        };
        Self { level, first: self.first }
    }
}

fn repetition(node: &Type) -> Repetition {
    match node.get_basic_info().has_repetition() {
        true => node.get_basic_info().repetition(),
        false => Repetition::REQUIRED,
    }
}

fn leaves(node: &Type) -> usize {
    match node {
        Type::PrimitiveType { .. } => 1,
        Type::GroupType { fields, .. } => fields.iter().map(|field| leaves(field)).sum(),
    }
}

/// Finds the fields at `path` among the members of a group.
fn members(group: &Type, place: Place, path: &str, found: &mut Vec<Field>) {
    if group.is_primitive() {
        return;
    }
    let mut first = place.first;
    for member in group.get_fields() {
        let at = Place { first, ..place }.into(member);
        let columns = first..first + leaves(member);
        first = columns.end;
        match below(path, member.name()) {
            Some("") => found.push(Field {
                name: member.name().to_owned(),
                level: at.level,
                columns,
                repetition: repetition(member),
                is_leaf: member.is_primitive(),
            }),
            Some(rest) => inside(member, at, rest, found),
            None => {}
        }
    }
}

/// Goes on into a field; the layers of which a list is made have names that no path has.
fn inside(node: &Type, place: Place, path: &str, found: &mut Vec<Field>) {
    let info = node.get_basic_info();
    let is_list = info.converted_type() == ConvertedType::LIST
        || matches!(info.logical_type_ref(), Some(LogicalType::List));
    let layer = match node {
        Type::GroupType { fields, .. } if is_list && fields.len() == 1 => &fields[0],
        _ => return members(node, place, path, found),
    };
    let place = place.into(layer);
    match &**layer {
        // Older writers leave out the inner layer; the names tell (the format's `LogicalTypes.md`).
        Type::GroupType { fields, .. }
            if fields.len() == 1
                && layer.name() != "array"
                && layer.name() != format!("{}_tuple", node.name()) =>
        {
            inside(&fields[0], place.into(&fields[0]), path, found);
        }
        layer => members(layer, place, path, found),
    }
}
