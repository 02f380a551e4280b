//! Which columns text tables have, judged by their first bytes.
//!
//! Here: CSV, TSV and JSON Lines, by the end of the name. Not here: whole tables and their figures.

use std::collections::HashMap;

use serde_json::Value;

use super::Result;
use crate::format::manifest;
use crate::model::{Entry, FileId, FileRef, ManifestId, Mode, RepoPath};
use crate::repo::{Content, Repository};

/// How much of a file is looked at.
const SAMPLE: u64 = 64 * 1024;
/// How many rows of it.
const ROWS: usize = 200;

/// What a cell holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cell {
    /// Whole numbers.
    Integer,
    /// Numbers.
    Float,
    /// True or false.
    Boolean,
    /// Anything else.
    Text,
}

/// A column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// What all of its cells hold that were looked at.
    pub cell: Cell,
}

/// How a table is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Format {
    /// Comma-separated, the names in the first line.
    Csv,
    /// Tab-separated, the names in the first line.
    Tsv,
    /// One JSON object in each line.
    JsonLines,
}

impl Format {
    /// By the end of a name.
    pub fn of(path: &[u8]) -> Option<Self> {
        let name = String::from_utf8_lossy(path).to_ascii_lowercase();
        match name.rsplit_once('.')?.1 {
            "csv" => Some(Self::Csv),
            "tsv" => Some(Self::Tsv),
            "jsonl" | "ndjson" => Some(Self::JsonLines),
            _ => None,
        }
    }

    /// The media type.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv",
            Self::Tsv => "text/tab-separated-values",
            Self::JsonLines => "application/jsonlines",
        }
    }
}

/// A file that is a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// Where it lies.
    pub path: RepoPath,
    /// Its content.
    pub file: FileRef,
    /// How it is written.
    pub format: Format,
    /// Its columns.
    pub columns: Vec<Column>,
}

/// Looks at tables, each content once.
#[derive(Default)]
pub struct Sniffer {
    known: HashMap<FileId, Vec<Column>>,
}

impl Sniffer {
    /// At most `limit` tables of a listing, in the order of their paths. A table whose content
    /// cannot be read, or has no columns, is passed over.
    ///
    /// # Errors
    ///
    /// What keeps the listing from being read.
    pub fn tables(
        &mut self,
        repository: &Repository,
        root: &ManifestId,
        limit: usize,
    ) -> Result<Vec<Table>> {
        let nodes = repository.nodes();
        let mut content = Content::new(repository)?;
        let mut tables = Vec::new();
        for entry in manifest::list(&nodes, root, b"")? {
            let Entry { path, file } = entry?;
            let Some(format) = Format::of(path.as_bytes()).filter(|_| file.mode != Mode::Symlink)
            else {
                continue;
            };
            let columns = match self.known.get(&file.file) {
                Some(columns) => columns.clone(),
                None => sample(&mut content, &file, format),
            };
            self.known.insert(file.file, columns.clone());
            if !columns.is_empty() {
                tables.push(Table { path, file, format, columns });
                if tables.len() == limit {
                    break;
                }
            }
        }
        Ok(tables)
    }
}

fn sample(content: &mut Content<'_>, file: &FileRef, format: Format) -> Vec<Column> {
    let mut bytes = Vec::new();
    let read = content.range(file, 0, file.size.min(SAMPLE), &mut |piece| {
        bytes.extend_from_slice(piece);
        Ok(())
    });
    if read.is_err() {
        return Vec::new();
    }
    // A row that is cut off says nothing, unless it is the only one.
    if bytes.len() as u64 != file.size
        && let Some(end) = bytes.iter().rposition(|byte| *byte == b'\n')
    {
        bytes.truncate(end + 1);
    }
    let text = String::from_utf8_lossy(&bytes);
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    match format {
        Format::Csv => separated(text, ','),
        Format::Tsv => separated(text, '\t'),
        Format::JsonLines => lines(text),
    }
}

fn separated(text: &str, separator: char) -> Vec<Column> {
    let mut rows = rows(text, separator).into_iter();
    let Some(names) = rows.next() else { return Vec::new() };
    let mut cells: Vec<Option<Cell>> = vec![None; names.len()];
    for row in rows.take(ROWS) {
        for (cell, value) in cells.iter_mut().zip(&row) {
            if !value.is_empty() {
                *cell = Some(wider(*cell, cell_of(value)));
            }
        }
    }
    let named = names.into_iter().zip(cells).filter(|(name, _)| !name.is_empty());
    named.map(|(name, cell)| Column { name, cell: cell.unwrap_or(Cell::Text) }).collect()
}

/// Rows as RFC 4180 has them, at most [`ROWS`] and the first.
fn rows(text: &str, separator: char) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    let (mut row, mut value, mut quoted) = (Vec::new(), String::new(), false);
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '"' if quoted && letters.peek() == Some(&'"') => {
                letters.next();
                value.push('"');
            }
            '"' => quoted = !quoted,
            '\n' if !quoted => {
                row.push(std::mem::take(&mut value).trim_end_matches('\r').to_owned());
                rows.push(std::mem::take(&mut row));
                if rows.len() > ROWS {
                    return rows;
                }
            }
            letter if letter == separator && !quoted => row.push(std::mem::take(&mut value)),
            letter => value.push(letter),
        }
    }
    if !value.is_empty() || !row.is_empty() {
        row.push(value);
        rows.push(row);
    }
    rows
}

fn lines(text: &str) -> Vec<Column> {
    let mut names: Vec<String> = Vec::new();
    let mut cells: HashMap<String, Option<Cell>> = HashMap::new();
    for line in text.lines().filter(|line| !line.trim().is_empty()).take(ROWS) {
        let Ok(Value::Object(fields)) = serde_json::from_str::<Value>(line) else { continue };
        for (name, value) in fields {
            let cell = match &value {
                Value::Null => None,
                Value::Bool(_) => Some(Cell::Boolean),
                Value::Number(number) if number.is_f64() => Some(Cell::Float),
                Value::Number(_) => Some(Cell::Integer),
                Value::String(_) | Value::Array(_) | Value::Object(_) => Some(Cell::Text),
            };
            let known = cells.entry(name.clone()).or_insert_with(|| {
                names.push(name);
                None
            });
            if let Some(cell) = cell {
                *known = Some(wider(*known, cell));
            }
        }
    }
    let cell = |name: &String| cells.get(name).copied().flatten().unwrap_or(Cell::Text);
    names.iter().map(|name| Column { name: name.clone(), cell: cell(name) }).collect()
}

fn cell_of(value: &str) -> Cell {
    match value {
        "true" | "false" | "True" | "False" => Cell::Boolean,
        value if value.parse::<i64>().is_ok() => Cell::Integer,
        value if value.parse::<f64>().is_ok_and(f64::is_finite) => Cell::Float,
        _ => Cell::Text,
    }
}

fn wider(known: Option<Cell>, new: Cell) -> Cell {
    match (known, new) {
        (None, new) => new,
        (Some(known), new) if known == new => new,
        (Some(Cell::Integer), Cell::Float) | (Some(Cell::Float), Cell::Integer) => Cell::Float,
        _ => Cell::Text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(columns: &[Column]) -> Vec<(&str, Cell)> {
        columns.iter().map(|column| (column.name.as_str(), column.cell)).collect()
    }

    #[test]
    fn columns_are_named_and_typed() {
        let text = "id,\"a, b\",x,y\n1,\"say \"\"hi\"\"\",1,true\n2,,1.5,false\n";
        let expected =
            [("id", Cell::Integer), ("a, b", Cell::Text), ("x", Cell::Float), ("y", Cell::Boolean)];
        assert_eq!(names(&separated(text, ',')), expected);
        let text = "{\"b\":1,\"a\":null}\n\nno\n{\"a\":\"x\",\"b\":2.5,\"c\":[1]}\n";
        let mut found = lines(text);
        found.sort_by(|a, b| a.name.cmp(&b.name));
        let expected = [("a", Cell::Text), ("b", Cell::Float), ("c", Cell::Text)];
        assert_eq!(names(&found), expected);
    }
}
