//! Scripted clients and targets, and a balancer between them: the building blocks of the scenarios in crate
//! `e2e`.
//!
//! All calls block and have a deadline ([`PATIENCE`]). A scenario that would hang fails and names what it
//! waited for. Nothing sleeps for a fixed time: conditions are polled ([`wait_until`]), and ports are chosen by
//! the kernel.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "a test fails by panicking, and measures real time"
)]

mod balancer;
mod certificates;
mod client;
mod client_hello;
mod config;
mod connection;
mod frame;
pub mod hpack;
mod http2_client;
mod http2_frame;
mod http2_raw;
mod http2_stream;
mod http2_target;
mod message;
mod metrics;
mod network;
mod pipe;
pub mod policy;
mod runtime;
mod stream;
mod target;
mod tls_client;
mod tls_server;
mod wait;
mod websocket;
mod wire;

pub use balancer::{Balancer, Former, Prepared};
pub use h2;
pub use rustix::process::Signal;
pub use rustls::{AlertDescription as Alert, HandshakeKind, ProtocolVersion};

pub use certificates::{Authority, Draft, Leaf, pem};
pub use client::{Client, exchange, get};
pub use client_hello::ClientHello;
pub use config::Config;
pub use connection::Connection;
pub use frame::Frame;
pub use http2_client::{Http2Client, Http2Stream};
pub use http2_frame::Http2Frame;
pub use http2_raw::RawHttp2;
pub use http2_target::{Http2Exchange, Http2Target};
pub use message::{Message, ok, response};
pub use metrics::sum as metric;
pub use network::Network;
pub use pipe::{UnreadPipe, unread_pipe};
pub use stream::{Handshake, HandshakeFailure};
pub use target::{Target, full_backlog, refused_address};
pub use tls_client::TlsClient;
pub use tls_server::TlsServer;
pub use wait::{PATIENCE, elapsed, show, unix_seconds, wait_for, wait_until};
pub use websocket::{WEBSOCKET_KEY, websocket_accept, websocket_request};
