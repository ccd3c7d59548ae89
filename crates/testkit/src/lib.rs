//! Scripted clients and targets, and a balancer to put between them: what a scenario in crate `e2e` is told with.
//!
//! Everything is blocking and has a deadline ([`PATIENCE`]); a scenario that would hang fails with what it was waiting
//! for. Nothing sleeps for a fixed time: conditions are polled ([`wait_until`]), and ports come from the kernel.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "a test fails by panicking, and measures real time"
)]

mod balancer;
mod client;
mod config;
mod connection;
mod frame;
mod message;
mod metrics;
mod network;
pub mod policy;
mod target;
mod wait;
mod websocket;
mod wire;

pub use balancer::{Balancer, Prepared};
pub use rustix::process::Signal;

pub use client::{Client, exchange, get};
pub use config::Config;
pub use connection::Connection;
pub use frame::Frame;
pub use message::{Message, ok, response};
pub use metrics::sum as metric;
pub use network::Network;
pub use target::{Target, full_backlog, refused_address};
pub use wait::{PATIENCE, elapsed, show, unix_seconds, wait_for, wait_until};
pub use websocket::{WEBSOCKET_KEY, websocket_accept, websocket_request};
