//! Stores in real databases, healthy and broken (SP9).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::print_stderr, reason = "a server's log explains a failed test")]

mod contract;
mod mariadb;
mod outages;
mod postgres;
mod redis;
mod server;
mod sqlite;
mod world;

/// The contract of all stores.
#[path = "../stores/contract.rs"]
mod shared;
