//! What is told of errors about keeping and deleting: holds, archives, erasures, retirements.

use stemmata::ops;

use super::{Told, told};
use crate::cli::Exit;

/// Of holds, dates and archives.
pub(super) fn tell_kept(error: &ops::Error) -> Told {
    use ops::Error as E;
    match error {
        E::BadArchive { .. } => told(
            Exit::DAMAGED,
            "bad_archive",
            "`stem archive verify` lists everything that is wrong",
        ),
        E::NoTarget(_) => told(
            Exit::NOT_FOUND,
            "no_target",
            "`stem datasets` lists the datasets, `stem log` the versions",
        ),
        E::NoHold(_) => told(Exit::NOT_FOUND, "no_hold", "`stem hold list` shows those in force"),
        E::Retention(_) => {
            told(Exit::HELD, "retention", "`stem classify --list` shows what was decided")
        }
        _ => told(
            Exit::HELD,
            "held",
            "`stem hold list` shows why; `stem hold release ID --reason …` ends a hold",
        ),
    }
}

/// Of erasures and retirements.
pub(super) fn tell_erase(error: &ops::Error) -> Told {
    use ops::Error as E;
    let anew = "make a new one: `stem erase plan` or `stem retire plan`";
    let (exit, code, hint) = match error {
        E::BadPlan(_) => (Exit::NOT_APPROVED, "bad_plan", anew),
        E::NoPlan(_) => (Exit::NOT_FOUND, "no_plan", "`plan` prints it; see `stem erase list` too"),
        E::OutOfDate(_) => (Exit::NOT_APPROVED, "out_of_date", anew),
        E::NotApproved { .. } => (
            Exit::NOT_APPROVED,
            "not_approved",
            "`stem erase approve` or `stem retire approve` signs it",
        ),
        E::Blocked(_) => (Exit::HELD, "held", "release the hold, or classify it otherwise"),
        E::Unclassified { .. } => {
            (Exit::HELD, "unclassified", "`stem classify --list` shows what is left to decide")
        }
        E::Everything { .. } => {
            (Exit::USAGE, "everything", "if that is meant, say `--yes-all` and its name")
        }
        E::NoSpace { .. } => (Exit::NO_SPACE, "no_space", "free some space, then do it again"),
        E::BadRecordSelector(_) => {
            (Exit::USAGE, "bad_records", "a record is JSON, a key is NAME=VALUE")
        }
        E::NoRecord => {
            let hint = "records are lines of JSONL, CSV and text, and rows of Parquet";
            (Exit::NOT_FOUND, "no_record", hint)
        }
        E::Unproven(_) => {
            (Exit::INCOMPLETE, "unproven", "look at these files, or erase them whole")
        }
        E::Incomplete(_) => {
            (Exit::INCOMPLETE, "incomplete", "see to these places, then `run` the same plan again")
        }
        E::NoCertificate(_) => (Exit::NOT_FOUND, "no_certificate", "`stem erase list` lists them"),
        _ => (Exit::NOT_ALLOWED, "not_entitled", ""),
    };
    told(exit, code, hint)
}
