//! `stem branch`.

use serde::Serialize;
use stemmata::model::{RefKind, RefName};
use stemmata::ops::refs::{
    RefChanged, RefInfo, create_branch, current_branch, delete, list, rename_branch,
};

use crate::cli::args::DryRun;
use crate::cli::text::short;
use crate::cli::{Context, Exit, Failure, Outcome};

/// List, make, rename and remove branches
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A new branch; with `-d` or `-D` the one to remove; with `-m` the new name, or the old
    #[arg(value_name = "NAME", required_if_eq_any = [("delete", "true"), ("drop", "true"), ("rename", "true")])]
    name: Option<RefName>,
    /// Where the new branch begins; with `-m` the new name
    #[arg(value_name = "REV")]
    revision: Option<String>,
    /// Remove the branch, if something else leads to its versions
    #[arg(short, long, conflicts_with_all = ["revision", "rename"])]
    delete: bool,
    /// Remove the branch in any case
    #[arg(short = 'D', conflicts_with_all = ["revision", "rename"])]
    drop: bool,
    /// Give the branch (the current one, if one name is given) another name
    #[arg(short = 'm', long = "move")]
    rename: bool,
    /// Move the branch if it is there already
    #[arg(short, long, requires = "name")]
    force: bool,
    /// Only the name of the branch that the worktree is on
    #[arg(long, conflicts_with_all = ["name", "delete", "drop", "rename"])]
    show_current: bool,
    /// Accepted because Git has it: branches are listed anyway, and there are no others
    #[arg(short = 'l', long, short_alias = 'a', alias = "all", hide = true)]
    #[arg(conflicts_with = "name")]
    list: bool,
    #[command(flatten)]
    dry_run: DryRun,
}

#[derive(Serialize)]
struct Branches {
    branches: Vec<RefInfo>,
    #[serde(skip_serializing_if = "Option::is_none")]
    changed: Option<RefChanged>,
}

pub(crate) fn run(args: &Args, context: &Context) -> Outcome {
    let dry_run = args.dry_run.dry_run;
    let Some(name) = &args.name else {
        let repository = context.open()?;
        let branches = list(&repository, RefKind::Branch).map_err(Failure::from)?;
        let seen = Branches { branches, changed: None };
        let current = current_branch(&repository).filter(|_| args.show_current);
        context.show("branch", &seen, |out| {
            if args.show_current {
                return current.iter().try_for_each(|name| writeln!(out, "{name}"));
            }
            for one in &seen.branches {
                let mark = if one.current { "*" } else { " " };
                let at = one.version.as_ref().map(short).unwrap_or_else(|| "no version".into());
                writeln!(out, "{mark} {:<24} {at}", one.name.as_str())?;
            }
            Ok(())
        })?;
        return Ok(Exit::DONE);
    };
    let repository = context.open_to_write(dry_run)?;
    let done = if args.delete || args.drop {
        delete(&repository, RefKind::Branch, name, args.drop || args.force, dry_run)
    } else if args.rename {
        let current = || match current_branch(&repository) {
            Some(name) => Ok(name),
            None => Err(Failure::Usage("the worktree is on no branch: give both names".into())),
        };
        match &args.revision {
            Some(new) => {
                let new = new.parse::<RefName>().map_err(stemmata::ops::Error::from);
                new.and_then(|new| rename_branch(&repository, name, &new, dry_run))
            }
            None => rename_branch(&repository, &current()?, name, dry_run),
        }
    } else {
        let revision = args.revision.as_deref().unwrap_or("HEAD");
        create_branch(&repository, name, revision, args.force, dry_run)
    };
    let changed = done.map_err(Failure::from)?;
    let branches = list(&repository, RefKind::Branch).map_err(Failure::from)?;
    let seen = Branches { branches, changed: Some(changed) };
    context.done("branch", &seen, |out| {
        seen.changed.as_ref().map_or(Ok(()), |done| super::branch::told("branch", done, out))
    })?;
    Ok(Exit::DONE)
}

/// What became of a branch or tag, in a line.
pub(super) fn told(
    kind: &str,
    done: &RefChanged,
    out: &mut dyn std::io::Write,
) -> std::io::Result<()> {
    let name = &done.name;
    let would = if done.dry_run { "Would be: " } else { "" };
    match (&done.from, &done.version, &done.old) {
        (Some(from), ..) => writeln!(out, "{would}{kind} {from} is {name} now"),
        (None, Some(version), None) => {
            writeln!(out, "{would}new {kind} {name} at {}", short(version))
        }
        (None, Some(version), Some(old)) => {
            writeln!(out, "{would}{kind} {name} at {} (was {})", short(version), short(old))
        }
        (None, None, old) => {
            let old = old.as_ref().map(short).unwrap_or_default();
            writeln!(out, "{would}removed {kind} {name} (was {old})")
        }
    }
}
