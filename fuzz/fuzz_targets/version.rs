//! Any bytes as a version: what is read is written in the same bytes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use stemmata::format::version;

fuzz_target!(|data: &[u8]| {
    if let Ok(read) = version::decode(data) {
        assert_eq!(version::encode(&read).ok().as_deref(), Some(data));
    }
});
