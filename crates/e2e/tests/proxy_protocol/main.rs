//! PROXY headers: connections that somebody passes on to us (L47).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod bad_header_ends_in_silence;
mod header_comes_once;
mod header_names_the_client;
mod late_header_is_closed;
mod others_are_ordinary_clients;

use testkit::{Balancer, Config, Target};

/// Whoever connects from 127.0.0.2 owes a header.
fn config(target: &Target) -> Config {
    Config::to(target).listener("proxy_protocol = [\"127.0.0.2\"]").listener("header_timeout = \"1s\"")
}

const SENDER: [u8; 4] = [127, 0, 0, 2];
const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const V4: &[u8] = &[192, 0, 2, 1, 198, 51, 100, 7, 0xdc, 4, 1, 187];

/// A header of version 2.
fn binary(command: u8, family: u8, block: &[u8]) -> Vec<u8> {
    let length = u16::try_from(block.len()).unwrap().to_be_bytes();
    [&b"\r\n\r\n\0\r\nQUIT\n"[..], &[0x20 | command, family], &length, block].concat()
}

fn counted(balancer: &Balancer, result: &str) -> f64 {
    balancer.metric("evenkeel_listener_proxy_headers_total", &[("result", result)])
}
