use std::collections::HashSet;

use proptest::prelude::*;

use super::*;
use crate::chunk::ChunkSizes;

const PROFILES: [Profile; 2] = [Profile::Lines, Profile::Bytes];

/// The rule of `docs/format.md`, byte by byte and without any shortcut.
fn cut_by_the_book(data: &[u8], profile: Profile) -> usize {
    let rule = profile.rule();
    let ChunkSizes { min, target, max } = rule.sizes;
    if data.len() <= target {
        return data.len();
    }
    let limit = data.len().min(max);
    let hash_before = |position: usize| {
        data[position - WINDOW..position].iter().fold(0u64, |hash, &byte| {
            (hash << 1).wrapping_add(gearhash::DEFAULT_TABLE[usize::from(byte)])
        })
    };
    let candidate = (min..=limit).find(|&position| {
        let mask = if position <= target { rule.strict_mask } else { rule.loose_mask };
        hash_before(position) & mask == 0
    });
    let is_line_end = |position: &usize| data[position - 1] == b'\n';
    let whole_file = limit < max;
    if !rule.at_line_ends {
        return candidate.unwrap_or(limit);
    }
    let next = candidate.and_then(|cut| (cut..=limit).find(is_line_end));
    let last = || (min + 1..=limit).rev().find(is_line_end);
    match next {
        Some(end) => end,
        None if whole_file => limit,
        None => last().or(candidate).unwrap_or(limit),
    }
}

/// Repeatable noise: splitmix64.
fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = state;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bytes.extend((word ^ (word >> 31)).to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

/// Noise in which about every `line` bytes there is a line end (never if `line` is 0).
fn text(seed: u64, length: usize, line: usize) -> Vec<u8> {
    let mut bytes = noise(seed, length);
    for (index, byte) in bytes.iter_mut().enumerate() {
        let ends = line > 0 && (index * 7919 + usize::from(*byte)).is_multiple_of(line);
        *byte = if ends { b'\n' } else { b'a' + *byte % 26 };
    }
    bytes
}

fn data() -> impl Strategy<Value = Vec<u8>> {
    let length = prop_oneof![0..300usize, 4000..20_000usize, 60_000..400_000usize];
    let line = prop_oneof![Just(0usize), Just(80), Just(3000), Just(50_000)];
    (any::<u64>(), length, line, 0..4u8).prop_map(|(seed, length, line, kind)| match kind {
        0 => noise(seed, length),
        1 => vec![seed as u8; length],
        _ => text(seed, length, line),
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20))]

    #[test]
    fn chunks_cover_the_file_exactly_and_keep_the_limits(data in data()) {
        for profile in PROFILES {
            let sizes = profile.sizes();
            let mut end = 0;
            for range in split(&data, profile) {
                prop_assert_eq!(range.start, end);
                prop_assert!(range.end > range.start && range.len() <= sizes.max);
                prop_assert!(range.len() >= sizes.min || range.end == data.len());
                end = range.end;
            }
            prop_assert_eq!(end, data.len());
        }
    }

    #[test]
    fn the_fast_way_cuts_where_the_book_says(data in data()) {
        for profile in PROFILES {
            let mut start = 0;
            while start < data.len() {
                let length = next_cut(&data[start..], profile, true).unwrap();
                prop_assert_eq!(length, cut_by_the_book(&data[start..], profile));
                start += length;
            }
        }
    }

    #[test]
    fn cuts_do_not_depend_on_how_the_file_is_fed(data in data(), step in 1..200_000usize) {
        for profile in PROFILES {
            let (mut start, mut end, mut cuts) = (0, 0, Vec::new());
            while start < data.len() {
                match next_cut(&data[start..end], profile, end == data.len()) {
                    Some(length) => {
                        start += length;
                        cuts.push(start);
                    }
                    None => end = (end + step).min(data.len()),
                }
            }
            let whole: Vec<_> = split(&data, profile).map(|range| range.end).collect();
            prop_assert_eq!(cuts, whole);
        }
    }

    #[test]
    fn lines_are_not_cut_unless_they_must_be(seed: u64, line in 20..2000usize) {
        let data = text(seed, 500_000, line);
        for range in split(&data, Profile::Lines) {
            prop_assert!(range.end == data.len() || data[range.end - 1] == b'\n');
        }
    }

    #[test]
    fn cuts_meet_again_after_an_insertion(
        seed: u64, at in 0..1_000_000usize, extra in 1..500usize,
    ) {
        for (profile, data) in
            [(Profile::Lines, text(seed, 2_000_000, 100)), (Profile::Bytes, noise(seed, 2_000_000))]
        {
            let mut changed = data.clone();
            changed.splice(at..at, noise(!seed, extra));
            let known: HashSet<&[u8]> = split(&data, profile).map(|range| &data[range]).collect();
            let new: usize = split(&changed, profile)
                .map(|range| &changed[range])
                .filter(|chunk| !known.contains(chunk))
                .map(<[u8]>::len)
                .sum();
            prop_assert!(new <= 6 * profile.sizes().max, "{new} new bytes");
        }
    }
}

#[test]
fn a_chunk_is_about_as_long_as_the_target() {
    for (profile, data) in
        [(Profile::Lines, text(1, 8 << 20, 100)), (Profile::Bytes, noise(1, 8 << 20))]
    {
        let mean = data.len() / split(&data, profile).count();
        let target = profile.sizes().target;
        assert!((target * 3 / 4..target * 3 / 2).contains(&mean), "{profile:?}: {mean}");
    }
}

#[test]
fn the_gear_table_is_that_of_the_format() {
    let file: serde_json::Value =
        serde_json::from_str(include_str!("../../fixtures/vectors/gear.json")).unwrap();
    let numbers: Vec<u64> = file["gear"]
        .as_array()
        .unwrap()
        .iter()
        .map(|number| u64::from_str_radix(number.as_str().unwrap(), 16).unwrap())
        .collect();
    assert_eq!(numbers, gearhash::DEFAULT_TABLE);
}
