//! Every kind of store, against the same contract and against faults (SP9).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "all of it is tests")]

mod contract;
mod file;
mod memcached;
mod memory;
