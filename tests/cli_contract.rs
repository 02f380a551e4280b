//! The command line as it is promised, seen from outside: every field of every answer, exit codes,
//! documents of errors, dry runs that write nothing, revisions, what every verb understands.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]
#![allow(clippy::print_stderr, reason = "a test that is skipped says so")]
#![allow(dead_code, reason = "the place is shared with another test, which needs more of it")]

#[path = "cli_contract/answers.rs"]
mod answers;
#[path = "cli_contract/dry_runs.rs"]
mod dry_runs;
#[path = "cli_contract/everywhere.rs"]
mod everywhere;
#[path = "cli_contract/failures.rs"]
mod failures;
#[path = "cli_contract/paths.rs"]
mod paths;
#[path = "bad_input/place.rs"]
mod place;
#[path = "cli_contract/revisions.rs"]
mod revisions;

use place::Place;

/// Two branches that can be merged, a tag, a change that is staged, one that is not, and a file
/// that is not tracked.
fn busy() -> Place {
    let place = Place::new();
    place.write("a", b"one\ntwo\n");
    place.good(&["commit", "-am", "second"]);
    place.good(&["tag", "v1", "-m", "said"]);
    place.good(&["switch", "-b", "side"]);
    place.write("s", b"side\n");
    place.good(&["add", "s"]);
    place.good(&["commit", "-m", "on the side"]);
    place.good(&["switch", "main"]);
    place.write("m", b"main\n");
    place.good(&["add", "m"]);
    place.good(&["commit", "-m", "third"]);
    place.write("staged", b"staged\n");
    place.good(&["add", "staged"]);
    place.write("d/b", b"changed\n");
    place.write("new", b"new\n");
    place
}

/// The words of a line, apart from those in quotes.
fn words(line: &str) -> Vec<String> {
    let parts = line.split('"').enumerate();
    let pieces = parts.flat_map(|(number, part)| match number % 2 {
        0 => part.split_whitespace().map(str::to_owned).collect(),
        _ => vec![part.to_owned()],
    });
    pieces.collect()
}

/// Runs a line that must end with 0.
fn typed(place: &Place, line: &str) -> place::Ran {
    let ran = place.run(&words(line));
    assert_eq!(ran.code, 0, "{line}: {ran:?}");
    ran
}
