//! PROXY headers: connections passed on by a proxy (L47).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod bad_header_closes_without_a_response;
mod header_is_read_once;
mod header_names_the_client;
mod header_of_an_unlisted_sender_is_refused;
mod http2_may_follow_in_pieces;
mod late_header_is_closed;

use testkit::{Balancer, Config, Target};

/// Connections from 127.0.0.2 must begin with a PROXY header.
fn config(target: &Target) -> Config {
    Config::to(target).listener("proxy_protocol = [\"127.0.0.2\"]").listener("header_timeout = \"1s\"")
}

const SENDER: [u8; 4] = [127, 0, 0, 2];
const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const V4: &[u8] = &[192, 0, 2, 1, 198, 51, 100, 7, 0xdc, 4, 1, 187];

/// A version 2 header.
fn binary(command: u8, family: u8, block: &[u8]) -> Vec<u8> {
    let length = u16::try_from(block.len()).unwrap().to_be_bytes();
    [&b"\r\n\r\n\0\r\nQUIT\n"[..], &[0x20 | command, family], &length, block].concat()
}

fn counted(balancer: &Balancer, result: &str) -> f64 {
    balancer.metric("evenkeel_listener_proxy_headers_total", &[("result", result)])
}
