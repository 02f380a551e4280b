//! The inputs that `fixtures/vectors/*.json` name instead of holding them.

/// `length` bytes of splitmix64 from `seed`, each output little-endian.
pub(crate) fn noise(seed: u64, length: usize) -> Vec<u8> {
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

/// Noise in which each byte below `line_ends` is a line feed and each other byte `b` the letter
/// `a` + `b` mod 26.
pub(crate) fn text(seed: u64, length: usize, line_ends: u8) -> Vec<u8> {
    let mut bytes = noise(seed, length);
    for byte in &mut bytes {
        *byte = if *byte < line_ends { b'\n' } else { b'a' + *byte % 26 };
    }
    bytes
}

/// Lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
