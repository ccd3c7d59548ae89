//! The binary: command line, wiring, signals.
fn main() {}
