//! The keeper of the house: who may know whom (`docs`: the design, "The house").
//!
//! Reads every file in `src` and fails on an import from the same floor or above, a package used
//! outside of its rooms, a file that has grown too long, a room that is named after nothing.

#[path = "layering/source.rs"]
mod source;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use source::{Named, Source};

/// The rooms and their floors. `cli` is the program's; `main.rs` belongs to it.
const FLOORS: &[(&str, u8)] = &[
    ("model", 0),
    ("chunk", 1),
    ("format", 1),
    ("sign", 1),
    ("store", 2),
    ("catalogue", 2),
    ("remote", 2),
    ("worktree", 2),
    ("bag", 2),
    ("git", 2),
    ("table", 2),
    ("repo", 3),
    ("ops", 4),
    ("cli", 5),
];

const EVERYWHERE: &[&str] = &[
    "model",
    "chunk",
    "format",
    "sign",
    "store",
    "catalogue",
    "remote",
    "worktree",
    "bag",
    "git",
    "table",
    "repo",
    "ops",
    "cli",
];

/// The packages and the rooms that may name them, tests excepted. A package that moves into
/// another room is a decision: say why in the commit that changes this table.
const PACKAGES: &[(&str, &[&str])] = &[
    ("anstream", &["cli"]),
    ("anstyle", &["cli"]),
    ("arrow_array", &["table"]),
    ("arrow_schema", &["table"]),
    ("base64", &["sign"]),
    ("blake3", &["model", "format", "catalogue", "worktree", "bag", "repo"]),
    ("bytes", &["table"]),
    ("clap", &["cli"]),
    ("clap_complete", &["cli"]),
    ("clap_mangen", &["cli"]),
    ("ed25519_dalek", &["sign"]),
    ("encoding_rs", &["git"]),
    ("gearhash", &["chunk"]),
    ("getrandom", &["model", "sign", "catalogue"]),
    ("gix", &["git"]),
    ("indicatif", &["cli"]),
    ("jiff", &["model", "git", "cli"]),
    ("memchr", &["model", "chunk", "format", "worktree", "git", "table", "ops"]),
    ("memmap2", &["store", "worktree"]),
    ("parquet", &["table"]),
    ("regex", &["ops"]),
    ("rustix", &["store", "catalogue", "worktree", "bag", "repo", "cli"]),
    ("saphyr_parser", &["format"]),
    ("serde", EVERYWHERE),
    (
        "serde_json",
        &["model", "format", "sign", "catalogue", "worktree", "table", "repo", "ops", "cli"],
    ),
    ("serde_json_canonicalizer", &["format", "catalogue", "table"]),
    ("sha2", &["sign", "bag", "repo"]),
    ("signal_hook", &["cli"]),
    ("spdx", &["ops"]),
    ("sqlx", &["catalogue"]),
    ("thiserror", EVERYWHERE),
    ("tokio", &["catalogue", "remote"]),
    ("toml", &["format", "repo"]),
    ("unicode_normalization", &["model"]),
    ("walkdir", &["worktree"]),
    ("zstd", &["format"]),
];

const NAMES_OF_NOTHING: &[&str] = &["util", "utils", "common", "helper", "helpers", "misc"];

/// A file may have so many lines without its tests.
const MOST_LINES: usize = 600;

/// A source file: its path below `src` with `/`, and its text.
type File<'a> = (&'a str, &'a str);

fn floor(room: &str) -> Option<u8> {
    FLOORS.iter().find(|(name, _)| *name == room).map(|(_, floor)| *floor)
}

/// The module that a file is: `store/medium/disk.rs` is `store::medium::disk`.
fn module_of(path: &str) -> Vec<&str> {
    let mut parts: Vec<&str> = path.trim_end_matches(".rs").split('/').collect();
    if matches!(parts[..], [.., "mod"] | ["lib" | "main"]) {
        parts.pop();
    }
    parts
}

/// The room of a file; the front of the house for `main.rs` is `cli`, `lib.rs` is no room.
fn room_of(path: &str) -> Option<&str> {
    match path {
        "lib.rs" => None,
        "main.rs" => Some("cli"),
        _ => module_of(path).first().copied(),
    }
}

/// Everything that is wrong in these files, as lines for a person.
fn breaches(files: &[File<'_>]) -> Vec<String> {
    let sources: Vec<(&str, Source)> =
        files.iter().map(|(path, text)| (*path, Source::read(text))).collect();
    let only_tests = test_files(&sources);
    let mut found = Vec::new();
    for (path, source) in &sources {
        let module = format!("{}::", module_of(path).join("::"));
        let in_tests = only_tests.iter().any(|test| module.starts_with(test));
        let mut tell = |line: usize, what: String| found.push(format!("src/{path}:{line}: {what}"));
        if !in_tests && source.lines_without_tests > MOST_LINES {
            let lines = source.lines_without_tests;
            tell(1, format!("the file has {lines} lines without its tests, at most {MOST_LINES}"));
        }
        for line in &source.foreign {
            tell(*line, "a file from elsewhere is brought in".into());
        }
        check_names(path, source, &mut tell);
        for named in &source.paths {
            if let Some(what) = check_import(path, named) {
                tell(named.line, what);
            }
            if !in_tests
                && !named.in_test
                && let Some(what) = check_package(path, named)
            {
                tell(named.line, what);
            }
        }
    }
    found
}

/// The modules that only tests see, by full path and `::`: those declared under `#[cfg(test)]`.
fn test_files(sources: &[(&str, Source)]) -> BTreeSet<String> {
    let mut modules = BTreeSet::new();
    for (path, source) in sources {
        for module in source.modules.iter().filter(|module| module.in_test) {
            let beside = path.rsplit_once('/').map_or("", |(directory, _)| directory);
            let full = match &module.file {
                Some(file) => module_of(&format!("{beside}/{file}")).join("::"),
                None => format!("{}::{}", module_of(path).join("::"), module.name),
            };
            modules.insert(full + "::");
        }
    }
    modules
}

fn check_names(path: &str, source: &Source, tell: &mut impl FnMut(usize, String)) {
    for part in module_of(path).iter().filter(|part| NAMES_OF_NOTHING.contains(part)) {
        tell(1, format!("`{part}` names nothing"));
    }
    for module in &source.modules {
        if NAMES_OF_NOTHING.contains(&module.name.as_str()) {
            tell(module.line, format!("`{}` names nothing", module.name));
        }
        if path == "main.rs" && module.name != "cli" && !module.in_test {
            let name = &module.name;
            tell(module.line, format!("the program may only have the room `cli`, not `{name}`"));
        }
    }
    match room_of(path) {
        Some(room) if floor(room).is_none() => tell(1, format!("the room `{room}` has no floor")),
        _ => {}
    }
}

/// The full path inside of the crate that `named` means; `None` if it is none.
fn inside(path: &str, named: &Named) -> Option<Vec<String>> {
    let mut here: Vec<String> = module_of(path).into_iter().map(String::from).collect();
    here.extend(named.scope.iter().cloned());
    let mut parts = named.parts.iter().peekable();
    match parts.peek()?.as_str() {
        "crate" => {
            here.clear();
            parts.next();
        }
        "self" => drop(parts.next()),
        "super" => {
            while parts.next_if(|part| *part == "super").is_some() {
                here.pop();
            }
        }
        _ => return None,
    }
    here.extend(parts.cloned());
    Some(here)
}

fn check_import(path: &str, named: &Named) -> Option<String> {
    let program = named.parts.first().is_some_and(|first| first == "stemmata");
    let room = room_of(path)?;
    if program && room != "cli" {
        return Some("only the program calls the library by its name".into());
    }
    let full = inside(path, named)?;
    let target = full.first()?.as_str();
    if target == room {
        return None;
    }
    let shown = named.parts.join("::");
    if target == "*" {
        return Some(format!("`{shown}` imports the whole crate"));
    }
    if room == "cli" {
        return Some(format!("`{shown}`: the program reaches the library only as `stemmata::…`"));
    }
    let (Some(mine), Some(theirs)) = (floor(room), floor(target)) else {
        return Some(format!("`{shown}` is in no room that has a floor"));
    };
    (theirs >= mine).then(|| {
        let way = if theirs == mine { "sideways" } else { "up" };
        format!("`{shown}`: `{room}` (floor {mine}) looks {way} to `{target}` (floor {theirs})")
    })
}

fn check_package(path: &str, named: &Named) -> Option<String> {
    let first = named.parts.first()?;
    let (package, rooms) = PACKAGES.iter().find(|(package, _)| package == first)?;
    let room = room_of(path).unwrap_or("lib");
    let shown = named.parts.join("::");
    (!rooms.contains(&room))
        .then(|| format!("`{shown}`: the package `{package}` belongs to {rooms:?}, not `{room}`"))
}

/// The files in `src`.
fn house() -> std::io::Result<BTreeMap<String, String>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = BTreeMap::new();
    let mut open = vec![(root, String::new())];
    while let Some((directory, prefix)) = open.pop() {
        for entry in std::fs::read_dir(directory)? {
            let entry = entry?;
            let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
            if entry.file_type()?.is_dir() {
                open.push((entry.path(), name + "/"));
            } else if name.ends_with(".rs") {
                files.insert(name, std::fs::read_to_string(entry.path())?);
            }
        }
    }
    Ok(files)
}

#[test]
fn every_room_knows_only_the_floors_below() {
    let files = house().unwrap();
    let files: Vec<File<'_>> =
        files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    assert!(files.iter().any(|(path, _)| path.starts_with("model/")), "the house was not found");
    let breaches = breaches(&files);
    assert!(breaches.is_empty(), "\n{}\n", breaches.join("\n"));
}

#[test]
fn every_package_has_its_rooms() {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
    let manifest: toml::Table = std::fs::read_to_string(manifest).unwrap().parse().unwrap();
    let mut used = BTreeSet::new();
    for (package, _) in manifest["dependencies"].as_table().unwrap() {
        used.insert(package.replace('-', "_"));
    }
    let placed: BTreeSet<String> = PACKAGES.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(placed, used, "PACKAGES in tests/layering.rs and Cargo.toml differ");
    for (package, rooms) in PACKAGES {
        assert!(rooms.iter().all(|room| floor(room).is_some()), "{package}");
    }
}

/// Each file alone breaks the rule that the text beside it names.
#[test]
fn the_keeper_catches_planted_breaches() {
    let long = "fn f() {}\n".repeat(MOST_LINES + 1);
    let after_tests = format!("#[cfg(test)]\nmod tests {{\n}}\n{long}");
    let planted: &[(&str, &str, &str)] = &[
        ("store/mod.rs", "use crate::catalogue::Catalogue;", "looks sideways to `catalogue`"),
        ("chunk/mod.rs", "use crate::format::Kind;", "looks sideways to `format`"),
        ("model/id.rs", "use crate::format::Kind;", "looks up to `format`"),
        ("git/mod.rs", "use crate::{model::Time, repo::Repository};", "looks up to `repo`"),
        ("repo/mod.rs", "fn f(x: crate::ops::gc::Plan) {}", "looks up to `ops`"),
        ("repo/mod.rs", "fn f() { let _ = <crate::ops::X as Y>::z(); }", "looks up to `ops`"),
        ("store/pack/mod.rs", "use super::super::worktree::Index;", "looks sideways"),
        ("store/mod.rs", "use super::repo;", "looks up to `repo`"),
        ("store/mod.rs", "mod a { use super::super::ops::gc; }", "looks up to `ops`"),
        ("store/mod.rs", "pub use crate::catalogue as c;", "looks sideways"),
        ("store/mod.rs", "#[cfg(test)] mod tests { use crate::repo::R; }", "looks up"),
        ("store/mod.rs", "use crate::*;", "imports the whole crate"),
        ("store/mod.rs", "use super::*;", "imports the whole crate"),
        ("store/mod.rs", "use crate::{model::Time, *};", "imports the whole crate"),
        ("store/mod.rs", "use crate::nowhere::X;", "no room that has a floor"),
        ("kitchen/mod.rs", "", "the room `kitchen` has no floor"),
        ("kitchen.rs", "", "the room `kitchen` has no floor"),
        ("store/util.rs", "", "`util` names nothing"),
        ("ops/misc/mod.rs", "", "`misc` names nothing"),
        ("repo/mod.rs", "mod helpers { }", "`helpers` names nothing"),
        ("store/mod.rs", "use gix::Repository;", "the package `gix` belongs to"),
        ("ops/mod.rs", "fn f() { blake3::hash(b\"\"); }", "the package `blake3` belongs to"),
        ("repo/mod.rs", "use {std::fs, ::sqlx::Pool};", "the package `sqlx` belongs to"),
        ("ops/mod.rs", "use zstd;", "the package `zstd` belongs to"),
        ("ops/mod.rs", "extern crate zstd;", "the package `zstd` belongs to"),
        ("lib.rs", "pub use gix::Repository;", "the package `gix` belongs to"),
        ("main.rs", "mod store;", "only have the room `cli`"),
        ("cli/run.rs", "use crate::store::Store;", "only as `stemmata::…`"),
        ("main.rs", "fn main() { crate::ops::run(); }", "only as `stemmata::…`"),
        ("ops/mod.rs", "use stemmata::repo::Repository;", "calls the library by its name"),
        ("ops/mod.rs", "use crate::cli::Output;", "looks up to `cli`"),
        ("store/mod.rs", "#[path = \"../ops/gc.rs\"] mod gc;", "brought in"),
        ("store/mod.rs", "include!(\"../ops/gc.rs\");", "brought in"),
        ("store/mod.rs", &long, "601 lines"),
        ("store/mod.rs", &after_tests, "601 lines"),
    ];
    for (path, text, expected) in planted {
        let found = breaches(&[(path, text)]);
        assert!(found.iter().any(|breach| breach.contains(expected)), "{path}: {text}: {found:?}");
    }
}

#[test]
fn the_keeper_lets_good_neighbours_be() {
    let with_tests =
        format!("fn f() {{}}\n#[cfg(test)]\nmod tests {{\n{}}}", "fn f() {}\n".repeat(900));
    let long = "fn f() {}\n".repeat(900);
    let good: &[&[File<'_>]] = &[
        &[("store/mod.rs", "use crate::{format::Kind, model::{self, Time}};")],
        &[("store/pack/mod.rs", "use super::index::X; use super::super::format::Kind;")],
        &[("store/mod.rs", "mod a { use super::b; } pub(in crate::store) fn f() {}")],
        &[("store/mod.rs", "// use crate::repo::R;\nconst T: &str = \"crate::repo::R\";")],
        &[("store/mod.rs", "/// Not `crate::repo::R`.\nfn f<'a>(c: char) -> bool { c == '\"' }")],
        &[("git/mod.rs", "use gix::ObjectId; use crate::model::Time;")],
        &[("cli/gc.rs", "use stemmata::ops::gc; use clap::Args; use crate::cli::Output;")],
        &[("main.rs", "mod cli; fn main() { cli::run() }")],
        &[("lib.rs", "pub mod model; pub use repo::Repository;")],
        &[("ops/mod.rs", "#[cfg(test)] mod tests { use gix::Repository; use super::*; }")],
        &[("store/mod.rs", &with_tests)],
        &[("store/mod.rs", "#[cfg(test)] mod tests { use zstd::Decoder; }")],
        &[("store/mod.rs", "#[cfg(test)] mod tests;"), ("store/tests.rs", &long)],
        &[
            ("store/mod.rs", "#[cfg(test)] mod tests;"),
            ("store/tests/deep.rs", "use zstd::Decoder;"),
        ],
        &[
            ("store/a.rs", "#[cfg(test)] #[path = \"a_tests.rs\"] mod tests;"),
            ("store/a_tests.rs", "use zstd::Decoder;"),
        ],
    ];
    for files in good {
        assert_eq!(breaches(files), Vec::<String>::new(), "{files:?}");
    }
}
