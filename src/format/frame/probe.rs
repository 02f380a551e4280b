//! Whether trying to compress is worth it, told from a sample.

use std::sync::LazyLock;

/// How many bytes are looked at.
const SAMPLE: usize = 4096;

/// Shorter objects are always tried: the sample would cost as much as zstd, and tell little.
const TOO_SHORT_TO_TELL: usize = 1024;

/// From this many bits per byte on, a byte counts as noise.
///
/// zstd's entropy stage alone could win 1 − 7.8/8 = 2.5 % there, less than what a compressed frame
/// must save. Repetitions of noise are not seen; within one chunk they are rare.
const NOISE_BITS: f32 = 7.8;

/// n·log2 n for every count that a sample can give.
static N_LOG_N: LazyLock<Vec<f32>> = LazyLock::new(|| {
    (0..=SAMPLE).map(|n| if n == 0 { 0.0 } else { n as f32 * (n as f32).log2() }).collect()
});

/// False when the bytes look like noise: encrypted, or compressed already.
pub(super) fn may_compress(bytes: &[u8]) -> bool {
    match bytes.len() {
        0 => false,
        len if len < TOO_SHORT_TO_TELL => true,
        _ => entropy_bits(bytes) < NOISE_BITS,
    }
}

/// Bits per byte of a sample of up to four windows spread over `bytes`, which must not be empty,
/// corrected for the bias of small samples (Miller and Madow).
fn entropy_bits(bytes: &[u8]) -> f32 {
    // Four tables, so that a byte need not wait for the one before it to be counted.
    let mut counts = [[0u16; 256]; 4];
    let mut count = |piece: &[u8]| {
        for four in piece.chunks_exact(4) {
            for (table, byte) in counts.iter_mut().zip(four) {
                table[usize::from(*byte)] += 1;
            }
        }
        piece.len() / 4 * 4
    };
    let sampled = if bytes.len() <= SAMPLE {
        count(bytes)
    } else {
        let window = SAMPLE / 4;
        let stride = (bytes.len() - window) / 3;
        (0..4).map(|number| count(&bytes[number * stride..][..window])).sum()
    };
    let (mut sum, mut seen) = (0.0, 0u16);
    for byte in 0..256 {
        let count = counts.iter().map(|table| usize::from(table[byte])).sum::<usize>();
        sum += N_LOG_N[count];
        seen += u16::from(count > 0);
    }
    let total = sampled as f32;
    let correction = f32::from(seen.saturating_sub(1)) / (2.0 * total * std::f32::consts::LN_2);
    total.log2() - sum / total + correction
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ChunkId;

    #[test]
    fn noise_is_told_from_data_at_every_length() {
        let mut noise = Vec::new();
        for number in 0..4096u32 {
            noise.extend_from_slice(ChunkId::of(&number.to_le_bytes()).as_bytes());
        }
        for len in [1024, 1500, 4095, 4096, 4097, 10_000, 131_072] {
            assert!(!may_compress(&noise[..len]), "{len}: {}", entropy_bits(&noise[..len]));
            let letters: Vec<u8> = noise[..len].iter().map(|byte| byte & 127).collect();
            assert!(may_compress(&letters), "{len}: {}", entropy_bits(&letters));
        }
        assert!(may_compress(&[0; 5000]));
        assert!(!may_compress(&[]));
    }
}
