//! The formats of `docs/format.md` from outside: golden vectors, and damage done to them.

mod damage;
mod generate;
mod vectors;
