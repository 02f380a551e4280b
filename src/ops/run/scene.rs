//! Where a command runs: the code around it, the machine, the program, the variables that count.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use crate::git;
use crate::model::{Code, FileId};
use crate::ops::add::in_one_line;
use crate::repo::{Repository, hash_of, machine};

/// The state of the Git repository around the directory that the program was started in, else
/// around the worktree.
pub(super) fn code(repository: &Repository, warnings: &mut Vec<String>) -> Option<Code> {
    let here = std::env::current_dir().ok();
    for directory in here.iter().chain([&repository.place.root]) {
        match git::code(directory) {
            Ok(Some(code)) => return Some(code),
            Ok(None) => {}
            Err(error) => {
                warnings.push(format!("the code is not recorded: {}", in_one_line(&error)));
                return None;
            }
        }
    }
    None
}

/// What the step's result may depend on besides its inputs; `digest` is over all the rest.
///
/// Values of variables are recorded as hashes. The machine's name is not recorded.
pub(super) fn environment(
    root: &Path,
    command: &[OsString],
    variables: &[String],
) -> Map<String, Value> {
    let machine = machine();
    let mut map = Map::new();
    map.insert("system".into(), machine.system.into());
    map.insert("architecture".into(), machine.architecture.into());
    map.insert("kernel".into(), machine.kernel.into());
    if let Some(program) = command.first().and_then(|program| find_program(root, program)) {
        let hash = hash_of(&program).ok().map(|hash| hash.to_hex());
        let path = program.to_string_lossy().into_owned();
        map.insert("program".into(), json!({"path": path, "blake3": hash}));
    }
    if !variables.is_empty() {
        let values = variables.iter().map(|name| (name.clone(), variable(name).into()));
        map.insert("variables".into(), Value::Object(values.collect()));
    }
    let digest = FileId::of(Value::Object(map.clone()).to_string().as_bytes());
    map.insert("digest".into(), digest.to_hex().into());
    map
}

/// The hash of a variable's value.
fn variable(name: &str) -> Option<String> {
    let value = std::env::var_os(name)?;
    Some(FileId::of(value.as_bytes()).to_hex())
}

/// What of a recorded environment is otherwise now, in words.
pub(super) fn otherwise(recorded: &Map<String, Value>, now: &Map<String, Value>) -> Vec<String> {
    let mut found = Vec::new();
    for name in ["system", "architecture", "kernel"] {
        let text = |map: &Map<String, Value>| {
            map.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
        };
        let (was, is) = (text(recorded), text(now));
        if !was.is_empty() && was != is {
            found.push(format!("{name}: was {was}, is {is}"));
        }
    }
    let hash = |map: &Map<String, Value>| map.get("program")?.get("blake3").cloned();
    if hash(recorded).is_some_and(|was| hash(now) != Some(was)) {
        found.push("the program is another one".into());
    }
    let variables = recorded.get("variables").and_then(Value::as_object).into_iter().flatten();
    for (name, was) in variables {
        if *was != Value::from(variable(name)) {
            found.push(format!("the variable {name} has another value"));
        }
    }
    found
}

/// The file that would be run: by its path from where it is run, or found in `PATH`.
fn find_program(root: &Path, program: &OsStr) -> Option<PathBuf> {
    let found = if program.as_bytes().contains(&b'/') {
        Some(root.join(program))
    } else {
        let path = std::env::var_os("PATH")?;
        std::env::split_paths(&path)
            .map(|directory| root.join(directory).join(program))
            .find(|path| path.is_file())
    };
    found?.canonicalize().ok()
}
