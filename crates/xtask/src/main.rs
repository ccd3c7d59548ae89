//! Tasks of the house: ci, test, tidy, bench, docs, dev.
fn main() {}
