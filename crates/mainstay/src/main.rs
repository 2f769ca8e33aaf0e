//! The binary: one file per verb, and the composition root.
fn main() {}
