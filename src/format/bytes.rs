//! Reading and writing integers and ids.

use super::Error;

/// Appends `value` in base 128, least significant digit first (LEB128).
pub(super) fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Reads bytes from the front; every problem names `what` is being read.
#[derive(Debug, Clone)]
pub(super) struct Input<'a> {
    rest: &'a [u8],
    what: &'static str,
}

impl<'a> Input<'a> {
    pub(super) fn new(bytes: &'a [u8], what: &'static str) -> Self {
        Self { rest: bytes, what }
    }

    pub(super) fn damaged<T>(&self, problem: &'static str) -> Result<T, Error> {
        Err(Error::Damaged { what: self.what, problem })
    }

    /// The number of bytes that are left.
    pub(super) fn left(&self) -> usize {
        self.rest.len()
    }

    #[inline]
    pub(super) fn take(&mut self, count: usize) -> Result<&'a [u8], Error> {
        match self.rest.split_at_checked(count) {
            Some((taken, rest)) => {
                self.rest = rest;
                Ok(taken)
            }
            None => self.damaged("it ends too early"),
        }
    }

    #[inline]
    pub(super) fn byte(&mut self) -> Result<u8, Error> {
        match self.rest.split_first() {
            Some((&byte, rest)) => {
                self.rest = rest;
                Ok(byte)
            }
            None => self.damaged("it ends too early"),
        }
    }

    pub(super) fn id(&mut self) -> Result<&'a [u8; 32], Error> {
        match self.rest.split_first_chunk() {
            Some((id, rest)) => {
                self.rest = rest;
                Ok(id)
            }
            None => self.damaged("it ends too early"),
        }
    }

    /// Reads a number; only its shortest form is accepted.
    #[inline]
    pub(super) fn varint(&mut self) -> Result<u64, Error> {
        let first = self.byte()?;
        if first < 0x80 { Ok(u64::from(first)) } else { self.long_varint(first) }
    }

    fn long_varint(&mut self, first: u8) -> Result<u64, Error> {
        let mut value = u64::from(first & 0x7f);
        for shift in (7..64).step_by(7) {
            let digit = self.byte()?;
            if shift == 63 && digit > 1 {
                return self.damaged("a number is longer than 64 bits");
            }
            value |= u64::from(digit & 0x7f) << shift;
            if digit < 0x80 {
                return if digit == 0 {
                    self.damaged("a number is not in its shortest form")
                } else {
                    Ok(value)
                };
            }
        }
        self.damaged("a number is longer than 64 bits")
    }

    /// Succeeds if nothing is left.
    pub(super) fn end(&self) -> Result<(), Error> {
        if self.rest.is_empty() { Ok(()) } else { self.damaged("bytes follow its end") }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn numbers_come_back(value: u64, shift in 0..64u32) {
            let value = value >> shift;
            let mut bytes = Vec::new();
            put_varint(&mut bytes, value);
            let mut input = Input::new(&bytes, "number");
            prop_assert_eq!(input.varint().unwrap(), value);
            prop_assert!(input.end().is_ok());
        }

        #[test]
        fn what_reads_as_a_number_is_written_the_same_way(bytes: [u8; 11]) {
            let mut input = Input::new(&bytes, "number");
            if let Ok(value) = input.varint() {
                let mut written = Vec::new();
                put_varint(&mut written, value);
                prop_assert_eq!(&bytes[..bytes.len() - input.left()], &written[..]);
            }
        }
    }

    #[test]
    fn numbers_that_are_padded_too_long_or_cut_are_refused() {
        for wrong in [
            &b""[..],
            b"\x80",
            b"\x80\x00",
            b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02",
            b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x81\x00",
        ] {
            assert!(Input::new(wrong, "number").varint().is_err(), "{wrong:x?}");
        }
    }
}
