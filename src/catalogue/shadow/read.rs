//! How each table is read, and rows as they come from another thread.

use std::sync::mpsc::Receiver;

use super::Shadow;
use crate::catalogue::Result;
use crate::catalogue::folded::Page;
use crate::catalogue::journal::canonical;
use crate::catalogue::rows::{Cell, Table};
use crate::catalogue::sql::shadow::{self, Folded};

/// What who reads the tables tells who compares them: first of all the shadow, then the pages of one
/// table after the other, each with an end.
#[derive(Debug)]
pub(super) enum Told {
    Shadow(Box<Shadow>),
    Page(Page),
    End,
}

/// Hands on every row of the table whose pages come next. Nobody tells more after a failure, which
/// is theirs to report.
pub(super) fn each_row(
    table: Table,
    told: &Receiver<Told>,
    mut look: impl FnMut(&[Cell<'_>]),
) -> Result<()> {
    while let Ok(Told::Page(page)) = told.recv() {
        let (mut lines, mut cells) = (page.lines(), Vec::new());
        while lines.next_row(&mut cells)?.is_some() {
            if table == Table::Record {
                as_written_now(&mut cells[BODY]);
            }
            look(&cells);
        }
    }
    Ok(())
}

pub(super) fn folded(table: Table) -> &'static Folded {
    match table {
        Table::Root => &shadow::ROOT,
        Table::Pack => &shadow::PACK,
        Table::Dataset => &shadow::DATASET,
        Table::Ref => &shadow::REF,
        Table::Worktree => &shadow::WORKTREE,
        Table::Presence => &shadow::PRESENCE,
        Table::Imported => &shadow::IMPORTED,
        Table::Consumer => &shadow::CONSUMER,
        Table::RefLog => &shadow::REF_LOG,
        Table::Record => &shadow::RECORD,
        Table::Use => &shadow::USE,
        Table::Version => &shadow::VERSION,
        Table::Parent => &shadow::PARENT,
        Table::Source => &shadow::SOURCE,
        Table::Step => &shadow::STEP,
        Table::Metric => &shadow::METRIC,
        Table::Derivation => &shadow::DERIVATION,
    }
}

/// The column of `record` that is JSON.
const BODY: usize = 10;

/// Earlier releases wrote whole numbers with a point, and other numbers and texts in other forms.
fn as_written_now(body: &mut Cell<'_>) {
    let Cell::Text(text) = body else { return };
    if !may_be_old(text.as_bytes()) {
        return;
    }
    let value = serde_json::from_str::<serde_json::Value>(text).ok();
    if let Some(same) = value.and_then(|value| canonical("a record", &value).ok()) {
        *body = Cell::from(same);
    }
}

/// Whether JSON has anything that the two forms write differently: fractions and exponents, and
/// texts that are not plain.
fn may_be_old(json: &[u8]) -> bool {
    let is_plain = json.iter().all(|byte| byte.is_ascii() && *byte != b'\\');
    let of_number = |pair: &[u8]| pair[0].is_ascii_digit() && matches!(pair[1], b'e' | b'E');
    !is_plain || json.windows(2).any(|pair| pair == b".0" || of_number(pair))
}
