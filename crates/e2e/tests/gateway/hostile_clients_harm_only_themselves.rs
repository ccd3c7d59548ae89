//! Oversized, malformed and deeply pipelined commands: bounded memory, and other clients are served.

use std::io::Write;

use testkit::Balancer;

use crate::{config, connect, talk};

#[test]
fn what_is_oversized_or_malformed_is_refused() {
    let balancer = Balancer::start(config("type = \"memory\""));
    let large = "x".repeat(2 << 20);
    let key = "k".repeat(251);
    for (input, expected) in [
        (
            format!("set a 0 0 {}\r\n{large}\r\nget a\r\n", large.len()),
            "SERVER_ERROR object too large for cache\r\nEND\r\n",
        ),
        (format!("get {key}\r\n"), "CLIENT_ERROR bad command line format\r\n"),
        (format!("set {key} 0 0 1\r\n"), "CLIENT_ERROR bad command line format\r\n"),
        ("set a 0 0 1\r\nlong\r\n".to_owned(), "CLIENT_ERROR bad data chunk\r\nERROR\r\n"),
        ("nonsense\r\n\r\n".to_owned(), "ERROR\r\nERROR\r\n"),
        ("x".repeat(1 << 20), ""),
        (format!("get {}", "k ".repeat(1 << 20)), ""),
        ("GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(), ""),
    ] {
        assert_eq!(talk(&balancer, input.as_bytes()), expected, "{}", &input[..input.len().min(60)]);
    }
    assert_eq!(talk(&balancer, b"set a 0 0 1\r\nx\r\n"), "STORED\r\n");
}

#[test]
fn a_deep_pipeline_is_answered_in_bounded_memory() {
    let balancer = Balancer::start(config("type = \"memory\""));
    let value = "v".repeat(10_000);
    assert_eq!(talk(&balancer, format!("set a 0 0 10000\r\n{value}\r\n").as_bytes()), "STORED\r\n");
    let before = balancer.resident_bytes();
    let answer = talk(&balancer, "get a\r\n".repeat(10_000).as_bytes());
    assert_eq!(answer.matches("VALUE a 0 10000\r\n").count(), 10_000);
    let grown = balancer.resident_bytes().saturating_sub(before);
    assert!(grown < 20 << 20, "{grown} bytes for 100 MB of replies");
}

#[test]
fn half_sent_items_are_held_in_bounded_memory() {
    let balancer = Balancer::start(config("type = \"memory\""));
    assert_eq!(talk(&balancer, b"set a 0 0 1\r\nx\r\n"), "STORED\r\n");
    let before = balancer.resident_bytes();
    let half = [&b"set big 0 0 1048576\r\n"[..], &vec![b'x'; 1_000_000]].concat();
    let clients: Vec<_> = (0..150)
        .map(|_| {
            let mut client = connect(&balancer);
            client.write_all(&half).unwrap();
            client
        })
        .collect();
    let grown = balancer.resident_bytes().saturating_sub(before);
    assert!(grown < 100 << 20, "{grown} bytes for 150 MB of halves");
    assert_eq!(talk(&balancer, b"get a\r\nset a 0 0 1\r\ny\r\n"), "VALUE a 0 1\r\nx\r\nEND\r\nSTORED\r\n");
    drop(clients);
}
