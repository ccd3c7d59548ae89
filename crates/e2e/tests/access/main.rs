//! Access lists (HTTP8) with the real binary; the table itself is tested in crate `balance`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod denied_client_gets_a_403;
mod entry_expires_by_itself;
mod every_level_must_allow;
mod files_are_read_at_reload;
mod forwarded_address_counts;
mod ipv6_and_mapped_addresses;
mod most_specific_entry_decides;

use std::net::SocketAddr;

use testkit::{Client, Message};

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

/// The response to `GET path` from this address.
#[track_caller]
fn visit(source: [u8; 4], address: SocketAddr, path: &str) -> Message {
    Client::connect_from(source, address).get(path)
}

/// The statuses of `GET path` from 127.0.0.N.
#[track_caller]
fn statuses<const N: usize>(sources: [u8; N], address: SocketAddr, path: &str) -> [u16; N] {
    sources.map(|last| visit([127, 0, 0, last], address, path).status())
}
