//! Megabytes are passed both ways unchanged, with a length (spliced) and in chunks.

use std::thread;

use testkit::{Balancer, Client, Config, Target};

const BYTES: usize = 20 * 1024 * 1024;

/// Not periodic in any power of two.
fn pattern() -> Vec<u8> {
    (0..BYTES as u64).map(|n| (n.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56) as u8).collect()
}

#[test]
fn by_length() {
    let target = Target::http(|request| {
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", request.body.len());
        [head.as_bytes(), &request.body].concat()
    });
    let balancer = Balancer::start(Config::to(&target));
    let mut client = Client::connect(balancer.web());
    for _ in 0..2 {
        client.send(format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {BYTES}\r\n\r\n"));
        client.send(pattern());
        assert!(client.response().body == pattern());
    }
    assert_eq!(target.connections(), 1);
}

#[test]
fn in_chunks() {
    let target = Target::http(|request| {
        let mut response = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
        response.extend(chunked(&request.body, 70_001));
        response
    });
    let balancer = Balancer::start(Config::to(&target));
    let mut client = Client::connect(balancer.web());
    client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    let body = thread::spawn(|| chunked(&pattern(), 12_345)).join().unwrap();
    client.send(body);
    assert!(client.response().body == pattern());
}

fn chunked(body: &[u8], size: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    for chunk in body.chunks(size) {
        bytes.extend(format!("{:x}\r\n", chunk.len()).into_bytes());
        bytes.extend([chunk, b"\r\n"].concat());
    }
    bytes.extend(b"0\r\n\r\n");
    bytes
}
