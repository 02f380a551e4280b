//! Whatever is done to bytes, their parser refuses them or reads what they say; it never panics.
//! A few thousand inputs here; `fuzz/` tries more.

use stemmata::format::{manifest, recipe, version};
use stemmata::model::{Entry, FileId, FileRef, Mode, RepoPath};

use crate::generate::noise;

/// Each mutation of `good` in turn: every bit flipped, every cut, bytes put in, taken out and
/// doubled at random, numbers replaced by large ones.
fn mutations(good: &[u8]) -> impl Iterator<Item = Vec<u8>> + '_ {
    let flips = (0..good.len() * 8).map(|bit| {
        let mut bad = good.to_vec();
        bad[bit / 8] ^= 1 << (bit % 8);
        bad
    });
    let cuts = (0..good.len()).map(|length| good[..length].to_vec());
    let random = (0..2000u64).map(|seed| {
        let mut bad = good.to_vec();
        for change in noise(seed, 32).chunks_exact(8).take(1 + seed as usize % 4) {
            let at = usize::from(u16::from_le_bytes([change[0], change[1]])) % bad.len().max(1);
            let to = (at + usize::from(change[3])).min(bad.len());
            match change[2] % 5 {
                0 => bad.insert(at, change[4]),
                1 => drop(bad.drain(at..to)),
                2 => bad
                    .splice(at..at, good[at.min(good.len())..to.min(good.len())].to_vec())
                    .for_each(drop),
                3 => bad.splice(at..at, [0xff; 9]).for_each(drop),
                _ => bad.extend_from_slice(change),
            }
        }
        bad
    });
    flips.chain(cuts).chain(random)
}

#[test]
fn damaged_nodes_do_no_harm() {
    let mut nodes = Vec::new();
    let entries = (0..300u64).map(|n| Entry {
        path: RepoPath::new(format!("d{}/f{n:03}", n / 100)).unwrap(),
        file: FileRef { mode: Mode::File, size: n << 20, file: FileId::of(&n.to_le_bytes()) },
    });
    manifest::build(entries, |_, bytes| {
        nodes.push(bytes);
        Ok::<(), stemmata::format::Error>(())
    })
    .unwrap();
    nodes.sort_by_key(Vec::len);
    let root = nodes.iter().find(|bytes| bytes[3] > 0).unwrap();
    for good in [&nodes[0], root] {
        for bad in mutations(good) {
            if let Ok(node) = manifest::Node::decode(bad) {
                let (mut entries, mut children, mut seen) = (node.entries(), node.children(), 0);
                while let Some(entry) = entries.next_entry() {
                    let _ = entry.to_entry();
                    seen += 1;
                }
                while children.next_child().is_some() {
                    seen += 1;
                }
                assert_eq!(seen, node.count());
            }
        }
    }
}

#[test]
fn damaged_recipes_do_no_harm() {
    let mut builder = recipe::RecipeBuilder::new(stemmata::chunk::Profile::Bytes);
    for number in 0..20u32 {
        let id = stemmata::model::ChunkId::of(&number.to_le_bytes());
        builder.push(recipe::ChunkRef { id, len: 8192 + number });
    }
    let good = builder.finish().unwrap().recipe.unwrap();
    for bad in mutations(&good).filter(|bad| *bad != good) {
        assert!(recipe::decode_recipe(&bad).is_err());
        let body = bad.get(32..).unwrap_or_default();
        let resealed = [blake3::hash(body).as_bytes(), body].concat();
        let _ = recipe::decode_recipe(&resealed);
        // A part has the same items behind a shorter head.
        let _ = recipe::decode_part(
            &[&[0xe5, b'P', 1][..], body.get(6..).unwrap_or_default()].concat(),
        );
    }
}

#[test]
fn a_damaged_version_is_another_version_or_none() {
    let vectors = include_str!("../../fixtures/vectors/version.json");
    let vectors: serde_json::Value = serde_json::from_str(vectors).unwrap();
    for case in vectors["cases"].as_array().unwrap() {
        let good = case["expected"]["bytes"].as_str().unwrap().as_bytes();
        for bad in mutations(good) {
            if let Ok(read) = version::decode(&bad) {
                assert_eq!(version::encode(&read).unwrap(), bad);
            }
        }
    }
}
