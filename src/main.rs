//! The command `stem`.

fn main() {}
