//! The formats of `docs/format.md` from outside: golden vectors, and damage done to them.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

mod damage;
mod generate;
mod vectors;
