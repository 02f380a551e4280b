use proptest::prelude::*;

use super::*;

fn chunk(number: u64, len: u32) -> ChunkRef {
    ChunkRef { id: ChunkId::of(&number.to_le_bytes()), len }
}

/// Builds a recipe of `count` chunks; returns all parts, and the recipe.
fn build(count: u64) -> (Vec<Part>, Option<Vec<u8>>) {
    let mut builder = RecipeBuilder::new(Profile::Lines);
    let mut parts = Vec::new();
    for number in 0..count {
        parts.extend(builder.push(chunk(number, number as u32 % 1000 + 1)));
    }
    let finished = builder.finish().unwrap();
    parts.extend(finished.parts);
    (parts, finished.recipe)
}

#[test]
fn a_file_of_one_chunk_or_none_has_no_recipe() {
    assert_eq!(build(0), (vec![], None));
    assert_eq!(build(1), (vec![], None));
}

#[test]
fn the_chunks_come_back_in_order_however_many_there_are() {
    let full = MAX_CHUNKS as u64;
    for count in [2, 3, full - 1, full, full + 1, 2 * full, 2 * full + 7] {
        let (parts, recipe) = build(count);
        let recipe = decode_recipe(&recipe.unwrap()).unwrap();
        let chunks = match recipe.items {
            Items::Chunks(chunks) => {
                assert!(parts.is_empty() && count <= full);
                chunks
            }
            Items::Parts(refs) => {
                assert_eq!(refs.len(), parts.len());
                let mut chunks = Vec::new();
                for (part, (id, bytes)) in refs.iter().zip(&parts) {
                    assert_eq!((part.id, blake3::hash(bytes)), (*id, (*id).into()));
                    let of_part = decode_part(bytes).unwrap();
                    assert_eq!(
                        of_part.iter().map(|chunk| u64::from(chunk.len)).sum::<u64>(),
                        part.len
                    );
                    chunks.extend(of_part);
                }
                chunks
            }
        };
        assert_eq!(chunks.len() as u64, count);
        assert_eq!(chunks.iter().map(|chunk| u64::from(chunk.len)).sum::<u64>(), recipe.size);
        assert!((0..).zip(&chunks).all(|(n, &c)| c == chunk(n, n as u32 % 1000 + 1)));
        assert_eq!(recipe.profile, Profile::Lines);
    }
}

/// `body` with the hash that makes it look like a recipe.
fn sealed(body: &[u8]) -> Vec<u8> {
    [blake3::hash(body).as_bytes(), body].concat()
}

#[test]
fn a_recipe_that_breaks_a_rule_is_refused_though_its_hash_is_right() {
    let (_, recipe) = build(3);
    let good = recipe.unwrap()[32..].to_vec();
    assert!(decode_recipe(&sealed(&good)).is_ok());
    let with = |index: usize, byte: u8| {
        let mut body = good.clone();
        body[index] = byte;
        decode_recipe(&sealed(&body))
    };
    assert!(matches!(with(0, 2), Err(Error::UnknownFormat { found: 2, .. })));
    for (index, byte) in [(1, 0), (1, 3), (2, 2), (3, 5), (4, 0), (4, 1), (4, 2), (4, 4)] {
        assert!(with(index, byte).is_err(), "{index} {byte}");
    }
    assert!(with(37, 0).is_err(), "a chunk of no bytes");
    assert!(decode_recipe(&sealed(&[&good[..], b"x"].concat())).is_err());
    let huge = [&[1, 1, 0][..], &[0x80, 0x80, 1], &[0x80, 0x80, 2]].concat();
    assert!(decode_recipe(&sealed(&huge)).is_err(), "declares 32,768 chunks, has none");
}

#[test]
fn a_changed_or_cut_recipe_is_refused() {
    let (_, recipe) = build(3);
    let good = recipe.unwrap();
    for index in 0..good.len() {
        let mut bad = good.clone();
        bad[index] ^= 1;
        assert!(decode_recipe(&bad).is_err());
        assert!(decode_recipe(&good[..index]).is_err());
    }
}

proptest! {
    #[test]
    fn arbitrary_bytes_are_refused_or_come_back_the_same(body: Vec<u8>) {
        let _ = decode_recipe(&sealed(&body));
        let _ = decode_part(&body);
        let _ = decode_part(&[&[0xe5, b'P', 1][..], &body].concat());
    }
}
