//! `fixtures/vectors/*.json` hold inputs and what the format makes of them. They never change once
//! a release has written them; while a format is being made, `STEMMATA_WRITE_VECTORS=1 cargo test
//! --test format` fills in what is expected.

use std::path::Path;

use serde_json::{Value, json};
use stemmata::chunk::{Profile, split};
use stemmata::format::{Error, manifest, recipe, version};
use stemmata::model::{ChunkId, Entry, FileId, FileRef, Mode, RepoPath};

use crate::generate::{hex, noise, text};

/// Compares what `compute` makes of each case's input with what the file says.
fn hold(name: &str, compute: impl Fn(&Value) -> Value) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/vectors").join(name);
    let mut file: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    let writes = std::env::var_os("STEMMATA_WRITE_VECTORS").is_some();
    for case in file["cases"].as_array_mut().unwrap() {
        let computed = compute(&case["input"]);
        if writes {
            case["expected"] = computed;
        } else {
            assert_eq!(computed, case["expected"], "{name}: {}", case["input"]);
        }
    }
    if writes {
        let text = serde_json::to_string_pretty(&file).unwrap() + "\n";
        #[expect(clippy::disallowed_methods, reason = "writes a fixture, not a repository")]
        std::fs::write(&path, text).unwrap();
    }
}

fn profile(input: &Value) -> Profile {
    serde_json::from_value(input["profile"].clone()).unwrap()
}

#[test]
fn files_are_cut_where_the_vectors_say() {
    hold("chunk.json", |input| {
        let (seed, length) = (input["seed"].as_u64().unwrap(), input["length"].as_u64().unwrap());
        let data = match (input["generator"].as_str().unwrap(), input["line_ends"].as_u64()) {
            ("noise", None) => noise(seed, length as usize),
            ("text", Some(line_ends)) => text(seed, length as usize, line_ends as u8),
            ("same", None) => vec![seed as u8; length as usize],
            other => panic!("no generator {other:?}"),
        };
        let ranges: Vec<_> = split(&data, profile(input)).collect();
        let lengths: Vec<_> = ranges.iter().map(|range| range.len()).collect();
        json!({
            "profile_by_rule": Profile::of(&data),
            "lengths": lengths,
            "first": ChunkId::of(&data[ranges[0].clone()]),
            "file": FileId::of(&data),
        })
    });
}

#[test]
fn recipes_are_written_as_the_vectors_say() {
    hold("recipe.json", |input| {
        let mut builder = recipe::RecipeBuilder::new(profile(input));
        let mut parts = Vec::new();
        for number in 0..input["chunks"].as_u64().unwrap() {
            let id = ChunkId::of(&number.to_le_bytes());
            parts.extend(builder.push(recipe::ChunkRef { id, len: 4096 + number as u32 % 1000 }));
        }
        let finished = builder.finish().unwrap();
        parts.extend(finished.parts);
        let parts: Vec<_> = parts
            .iter()
            .map(|(id, bytes)| json!({ "id": hex(id), "length": bytes.len() }))
            .collect();
        json!({ "recipe": finished.recipe.map(|bytes| hex(&bytes)), "parts": parts })
    });
}

fn entries(input: &Value) -> Vec<Entry> {
    let modes = [Mode::File, Mode::Executable, Mode::Symlink];
    let entry = |path: String, number: u64| Entry {
        path: RepoPath::new(path).unwrap(),
        file: FileRef {
            mode: modes[(number % 3) as usize],
            size: number * number,
            file: FileId::of(&number.to_le_bytes()),
        },
    };
    match input["numbered"].as_u64() {
        Some(count) => (0..count).map(|n| entry(format!("d{:02}/f{n:05}", n / 100), n)).collect(),
        None => (0..)
            .zip(input["paths"].as_array().unwrap())
            .map(|(number, path)| entry(path.as_str().unwrap().into(), number))
            .collect(),
    }
}

#[test]
fn manifests_are_written_as_the_vectors_say() {
    hold("manifest.json", |input| {
        let mut nodes = Vec::new();
        let root = manifest::build(entries(input), |id, bytes| {
            nodes.push((id, bytes));
            Ok::<(), Error>(())
        });
        let root = root.unwrap();
        assert_eq!(nodes.last().unwrap().0, root);
        let root_bytes = hex(&nodes.last().unwrap().1);
        let nodes: Vec<_> = nodes
            .into_iter()
            .map(|(id, bytes)| {
                let node = manifest::Node::decode(bytes).unwrap();
                json!([node.level(), node.count(), id])
            })
            .collect();
        json!({ "root": root, "root_bytes": root_bytes, "level_count_id": nodes })
    });
}

#[test]
fn versions_are_written_as_the_vectors_say() {
    hold("version.json", |input| {
        let value = serde_json::from_value(input.clone()).unwrap();
        let bytes = version::encode(&value).unwrap();
        assert_eq!(version::decode(&bytes).unwrap(), value);
        json!({ "id": version::id(&bytes), "bytes": String::from_utf8(bytes).unwrap() })
    });
}
