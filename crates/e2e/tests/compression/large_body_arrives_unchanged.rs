//! Megabytes are unchanged after compression, with a length and in chunks, with each coding, whether they
//! compress well or not (HTTP5).

use testkit::{Balancer, Client, Message, Target, wait_until};

use crate::{ask, compressing, plain};

const BYTES: u64 = 10 * 1024 * 1024;

/// Half text lines, half noise.
fn pattern() -> Vec<u8> {
    let noise = |n: u64| (n.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56) as u8;
    let text = |n: u64| b"all work and no play \n"[(n % 22) as usize];
    (0..BYTES).map(|n| if n >> 16 & 1 == 0 { text(n) } else { noise(n) }).collect()
}

fn by_length(_: &Message) -> Vec<u8> {
    let head = format!("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {BYTES}\r\n\r\n");
    [head.as_bytes(), &pattern()].concat()
}

fn in_chunks(_: &Message) -> Vec<u8> {
    let mut bytes =
        b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    for chunk in pattern().chunks(70_001) {
        bytes.extend(format!("{:x}\r\n", chunk.len()).into_bytes());
        bytes.extend([chunk, b"\r\n"].concat());
    }
    bytes.extend(b"0\r\n\r\n");
    bytes
}

#[test]
fn large_body_arrives_unchanged() {
    let expected = pattern();
    for target in [Target::http(by_length), Target::http(in_chunks)] {
        let balancer = Balancer::start(compressing(&target));
        let mut client = Client::connect(balancer.web());
        for coding in ["zstd", "br", "gzip"] {
            let response = ask(&mut client, &format!("Accept-Encoding: {coding}\r\n"));
            assert!(response.is_complete && plain(&response).as_ref() == Some(&expected), "{coding}");
            assert!(response.body.len() < expected.len() * 6 / 10, "{coding}: {}", response.body.len());
        }
        assert_eq!(target.connections(), 1);
        let taken = || balancer.metric("evenkeel_listener_compression_input_bytes_total", &[]);
        wait_until("all bytes are counted", || taken() == 3.0 * BYTES as f64);
    }
}
