//! Scenarios: the real binary between scripted clients and targets, over real sockets.
//!
//! Each directory of `tests` is a feature, each file in it one behaviour that a stranger can read in a minute; `testkit`
//! has the words that they are told with. The binary is found by `EVENKEEL_BIN`, else beside the tests:
//! `cargo build -p evenkeel` makes it, `cargo xtask test` does both.
