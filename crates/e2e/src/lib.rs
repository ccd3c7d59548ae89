//! Scenarios: the real binary between scripted clients and targets, over real sockets.
//!
//! Each directory of `tests` is a feature, and each file in it one behaviour that a newcomer can read in a
//! minute. Crate `testkit` has the building blocks. The binary is named by `EVENKEEL_BIN`, else it is the one
//! beside the tests: `cargo build -p evenkeel` builds it, `cargo xtask test` does both.
