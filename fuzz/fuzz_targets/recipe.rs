//! Any bytes as a recipe, with the hash that a recipe must begin with, and as a part of one.
#![no_main]

use libfuzzer_sys::fuzz_target;
use stemmata::format::recipe::{Items, decode_part, decode_recipe};

fuzz_target!(|data: &[u8]| {
    let _ = decode_recipe(data);
    let sealed = [blake3::hash(data).as_bytes(), data].concat();
    if let Ok(recipe) = decode_recipe(&sealed) {
        let sum: u64 = match &recipe.items {
            Items::Chunks(chunks) => chunks.iter().map(|chunk| u64::from(chunk.len)).sum(),
            Items::Parts(parts) => parts.iter().map(|part| part.len).sum(),
        };
        assert_eq!(sum, recipe.size);
    }
    let _ = decode_part(data);
    let _ = decode_part(&[&[0xe5, b'P', 1][..], data].concat());
});
