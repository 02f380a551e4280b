//! Objects ↔ the bytes of a frame.

use zstd::bulk::{Compressor, Decompressor};
use zstd::zstd_safe::{CParameter, DParameter, FrameFormat};

use super::{Codec, FrameDamage, HEADER_LEN, Header, MAX_RAW_LEN, probe};
use crate::format::kind::Kind;

/// The zstd level of what is added; merging may use a higher one.
pub const LEVEL: i32 = 1;

/// Level 1 picks its tables by the length of the input, and for chunks below 16 KiB a slower match
/// finder. With these for all chunks JSONL becomes 0.7 % smaller (0.4235 instead of 0.4265 of the
/// input, chunks of 21 KiB on average) in the same time.
const HASH_LOG: u32 = 15;
const MIN_MATCH: u32 = 6;

/// A frame is compressed only if that saves at least 1/32 of its bytes.
const LEAST_GAIN: usize = 32;

/// What could not be encoded.
#[derive(Debug, thiserror::Error)]
pub enum EncodeError {
    /// An object longer than [`MAX_RAW_LEN`].
    #[error("an object of {0} bytes is longer than 16 MiB")]
    TooLong(usize),
    /// zstd failed.
    #[error("zstd cannot compress")]
    Zstd(#[source] std::io::Error),
    /// What was compressed did not decompress to the same bytes: broken memory or a broken zstd.
    #[error("compressed bytes did not decompress to what they were made of")]
    Check,
}

/// Makes frames. Holds zstd's tables and buffers, so one serves many frames.
pub struct Encoder {
    zstd: Compressor<'static>,
    packed: Vec<u8>,
    check: Decoder,
    checked: Vec<u8>,
}

impl Encoder {
    /// An encoder that compresses at `level` of zstd.
    ///
    /// # Errors
    ///
    /// [`EncodeError::Zstd`] when zstd refuses the level.
    pub fn new(level: i32) -> Result<Self, EncodeError> {
        let mut zstd = Compressor::new(level).map_err(EncodeError::Zstd)?;
        for parameter in [
            CParameter::Format(FrameFormat::Magicless),
            CParameter::ContentSizeFlag(false),
            CParameter::ChecksumFlag(false),
            CParameter::DictIdFlag(false),
        ] {
            zstd.set_parameter(parameter).map_err(EncodeError::Zstd)?;
        }
        if level == LEVEL {
            zstd.set_parameter(CParameter::HashLog(HASH_LOG)).map_err(EncodeError::Zstd)?;
            zstd.set_parameter(CParameter::MinMatch(MIN_MATCH)).map_err(EncodeError::Zstd)?;
        }
        let check = Decoder::new().map_err(EncodeError::Zstd)?;
        Ok(Self { zstd, packed: Vec::new(), check, checked: Vec::new() })
    }

    /// Appends one whole frame to `out` and returns its header.
    ///
    /// Compressed where a probe of the bytes promises a gain and zstd keeps the promise, else
    /// stored. What was compressed has been decompressed again and compared with `bytes`.
    ///
    /// # Errors
    ///
    /// [`EncodeError`]; `out` is then as it was.
    pub fn frame(
        &mut self,
        kind: Kind,
        bytes: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<Header, EncodeError> {
        let raw_len = match u32::try_from(bytes.len()) {
            Ok(len) if bytes.len() <= MAX_RAW_LEN => len,
            _ => return Err(EncodeError::TooLong(bytes.len())),
        };
        let compressed = probe::may_compress(bytes) && self.compress(bytes)?;
        let (codec, stored) =
            if compressed { (Codec::Zstd, &self.packed[..]) } else { (Codec::Stored, bytes) };
        let header = Header { kind, codec, raw_len, stored_len: stored.len() as u32 };
        out.reserve(HEADER_LEN + stored.len());
        out.extend_from_slice(&header.encode());
        out.extend_from_slice(stored);
        Ok(header)
    }

    /// Compresses into `self.packed`; false if too little is gained.
    fn compress(&mut self, bytes: &[u8]) -> Result<bool, EncodeError> {
        self.packed.clear();
        self.packed.reserve(zstd::zstd_safe::compress_bound(bytes.len()));
        self.zstd.compress_to_buffer(bytes, &mut self.packed).map_err(EncodeError::Zstd)?;
        if self.packed.len() + bytes.len() / LEAST_GAIN >= bytes.len() {
            return Ok(false);
        }
        match self.check.decompress(&self.packed, bytes.len(), &mut self.checked) {
            Ok(()) if self.checked == bytes => Ok(true),
            _ => Err(EncodeError::Check),
        }
    }
}

/// Reads frames. Holds zstd's tables, so one serves many frames.
pub struct Decoder {
    zstd: Decompressor<'static>,
}

impl Decoder {
    /// A decoder.
    ///
    /// # Errors
    ///
    /// When zstd cannot be set up, which means that there is no memory.
    pub fn new() -> std::io::Result<Self> {
        let mut zstd = Decompressor::new()?;
        zstd.set_parameter(DParameter::Format(FrameFormat::Magicless))?;
        Ok(Self { zstd })
    }

    /// Writes the object whose frame has `header` and the bytes `stored` into `out`, replacing
    /// what was there. The bytes are not compared with any id.
    ///
    /// # Errors
    ///
    /// [`FrameDamage`] if they are not exactly as long as declared; never more than the declared
    /// length, which is limited, is allocated.
    pub fn object(
        &mut self,
        header: &Header,
        stored: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), FrameDamage> {
        if stored.len() != header.stored_len as usize {
            return Err(FrameDamage::Cut);
        }
        match header.codec {
            Codec::Stored => {
                out.clear();
                out.extend_from_slice(stored);
                Ok(())
            }
            Codec::Zstd => self.decompress(stored, header.raw_len as usize, out),
        }
    }

    fn decompress(
        &mut self,
        stored: &[u8],
        expected: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), FrameDamage> {
        if stored.get(..2) != Some(&head(expected)) && !has_wide_window(stored, expected) {
            return Err(FrameDamage::Zstd("its head is not what a writer writes".into()));
        }
        out.clear();
        out.reserve(expected);
        let found = self
            .zstd
            .decompress_to_buffer(stored, out)
            .map_err(|error| FrameDamage::Zstd(error.to_string()))?;
        if found == expected { Ok(()) } else { Err(FrameDamage::Length { expected, found }) }
    }
}

/// Up to this length every level of zstd takes a window as large as the object.
const WHOLE_WINDOW: usize = 256 << 10;
/// The least window that a frame can name, as a power of two.
const LEAST_WINDOW_LOG: u32 = 10;

/// The first two bytes of a zstd frame, RFC 8878: no content size, checksum or dictionary, and the
/// window. zstd itself skips a bit of the first and does not mind a larger window, so that without
/// this a flipped bit there would go unseen by whoever has only the hash of the content.
fn head(raw_len: usize) -> [u8; 2] {
    [0, ((window_log(raw_len) - LEAST_WINDOW_LOG) << 3) as u8]
}

/// The power of two that an object fits into, if the least window is not larger.
fn window_log(raw_len: usize) -> u32 {
    raw_len.max(2).next_power_of_two().ilog2().max(LEAST_WINDOW_LOG)
}

/// Whether a long object has a window that some level of zstd takes: a power of two, shorter than
/// the object.
fn has_wide_window(stored: &[u8], raw_len: usize) -> bool {
    let [first, window, ..] = *stored else { return false };
    let log = u32::from(window >> 3) + LEAST_WINDOW_LOG;
    raw_len > WHOLE_WINDOW
        && first == 0
        && window & 7 == 0
        && (WHOLE_WINDOW.ilog2()..=window_log(raw_len)).contains(&log)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round_trip(bytes: &[u8]) -> Header {
        let mut out = vec![7];
        let header = Encoder::new(LEVEL).unwrap().frame(Kind::Chunk, bytes, &mut out).unwrap();
        let head: &[u8; HEADER_LEN] = out[1..=HEADER_LEN].try_into().unwrap();
        assert_eq!(Header::decode(head), Ok(header));
        let mut back = Vec::new();
        Decoder::new().unwrap().object(&header, &out[1 + HEADER_LEN..], &mut back).unwrap();
        assert_eq!(back, bytes);
        header
    }

    #[test]
    fn text_is_compressed_and_noise_is_stored() {
        assert_eq!(round_trip(b"").codec, Codec::Stored);
        assert_eq!(round_trip(b"a").codec, Codec::Stored);
        let text = round_trip(&b"a line of text\n".repeat(1000));
        assert!(text.codec == Codec::Zstd && text.stored_len < 40, "{text:?}");
        let mut noise = vec![0; 100_000];
        blake3_noise(&mut noise);
        assert_eq!(round_trip(&noise).codec, Codec::Stored);
        assert_eq!(round_trip(&vec![0; MAX_RAW_LEN]).codec, Codec::Zstd);
    }

    fn blake3_noise(bytes: &mut [u8]) {
        for (number, piece) in bytes.chunks_mut(32).enumerate() {
            let hash = crate::model::ChunkId::of(&number.to_le_bytes());
            piece.copy_from_slice(&hash.as_bytes()[..piece.len()]);
        }
    }

    /// An object of text, one of long repeats and one of mixed bytes, of a length.
    fn objects(len: usize) -> [Vec<u8>; 3] {
        let mut noise = vec![0; len];
        blake3_noise(&mut noise);
        let text: String =
            (0_u64..).map(|n| format!("{:05}\n", n * 7919 % 9973)).take(len / 5 + 1).collect();
        let mixed = noise.iter().enumerate().map(|(at, b)| if at % 3 == 0 { *b } else { b & 3 });
        [
            text.as_bytes()[..len].to_vec(),
            b"a line\n".repeat(len / 7 + 1)[..len].to_vec(),
            mixed.collect(),
        ]
    }

    #[test]
    fn frames_of_every_level_and_length_are_read() {
        for level in [LEVEL, 3, 9, 19] {
            let mut encoder = Encoder::new(level).unwrap();
            let lengths = [40, 1023, 1024, 1025, 4096, 65_536, 131_072, 131_073, 262_145, 3 << 20];
            for len in lengths.into_iter().filter(|len| level < 9 || *len < 300_000) {
                for object in objects(len) {
                    let (mut out, mut back) = (Vec::new(), Vec::new());
                    let header = encoder.frame(Kind::Chunk, &object, &mut out).unwrap();
                    let stored = &out[HEADER_LEN..];
                    Decoder::new().unwrap().object(&header, stored, &mut back).unwrap();
                    assert!(back == object, "{level} {len}");
                }
            }
        }
    }

    /// A frame with another bit is refused, or becomes other bytes, which the id gives away. A few
    /// bits inside mean nothing to zstd: the ends of its tables. No bit of the head does.
    #[test]
    fn almost_every_bit_of_a_compressed_frame_matters() {
        let mut encoder = Encoder::new(LEVEL).unwrap();
        let mut decoder = Decoder::new().unwrap();
        let (mut back, mut tried, mut silent) = (Vec::new(), 0, Vec::new());
        for object in [60, 300, 2000, 9000].into_iter().flat_map(objects) {
            let mut out = Vec::new();
            let header = encoder.frame(Kind::Chunk, &object, &mut out).unwrap();
            if header.codec != Codec::Zstd {
                continue;
            }
            let stored = &mut out[HEADER_LEN..];
            for bit in 0..stored.len() * 8 {
                tried += 1;
                stored[bit / 8] ^= 1 << (bit % 8);
                if decoder.object(&header, stored, &mut back).is_ok() && back == object {
                    silent.push((object.len(), stored.len(), bit));
                }
                stored[bit / 8] ^= 1 << (bit % 8);
            }
        }
        assert!(silent.iter().all(|(_, _, bit)| *bit >= 16), "{silent:?}");
        assert!(silent.len() * 1000 < tried, "{silent:?} of {tried}");
    }

    #[test]
    fn an_object_longer_than_the_limit_is_refused() {
        let mut out = Vec::new();
        let long = vec![0; MAX_RAW_LEN + 1];
        let result = Encoder::new(LEVEL).unwrap().frame(Kind::Chunk, &long, &mut out);
        assert!(matches!(result, Err(EncodeError::TooLong(_))) && out.is_empty());
    }

    #[test]
    fn a_bomb_comes_out_no_longer_than_declared() {
        let mut out = Vec::new();
        let mut encoder = Encoder::new(LEVEL).unwrap();
        let header = encoder.frame(Kind::Chunk, &vec![0; 1 << 20], &mut out).unwrap();
        let stored = &out[HEADER_LEN..];
        let mut decoder = Decoder::new().unwrap();
        for raw_len in [header.stored_len + 1, 4096, (1 << 20) - 1, (1 << 20) + 1] {
            let mut back = Vec::new();
            let lie = Header { raw_len, ..header };
            assert!(decoder.object(&lie, stored, &mut back).is_err());
            assert!(back.capacity() <= raw_len as usize + 64);
        }
    }

    #[test]
    fn headers_that_no_writer_writes_are_refused() {
        let good = Header { kind: Kind::Node, codec: Codec::Zstd, raw_len: 9, stored_len: 5 };
        for (kind_and_codec, raw_len, stored_len) in [
            (0x01, 9, 5),
            (0x61, 9, 5),
            (0xf1, 9, 5),
            (0x22, 9, 5),
            (0x21, 9, 9),
            (0x21, 9, 0),
            (0x21, 0, 0),
            (0x20, 9, 8),
            (0x20, 0, 1),
            (0x20, u32::MAX, u32::MAX),
            (0x21, u32::MAX, 5),
            (0x21, MAX_RAW_LEN as u32 + 1, 5),
        ] {
            let mut bytes = Header { raw_len, stored_len, ..good }.encode();
            bytes[0] = kind_and_codec;
            assert!(Header::decode(&bytes).is_err(), "{bytes:?}");
        }
    }
}
