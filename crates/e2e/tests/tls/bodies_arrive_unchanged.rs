//! Megabytes are passed both ways unchanged, with TLS on both sides (TLS1, TLS5).

use testkit::{Authority, Http2Client, Target};

use crate::{https_both, server, start_with};

const BYTES: usize = 3 * 1024 * 1024;

/// Not periodic in any power of two.
fn pattern() -> Vec<u8> {
    (0..BYTES as u64).map(|n| (n.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56) as u8).collect()
}

fn chunked(body: &[u8], size: usize) -> Vec<u8> {
    let chunk = |part: &[u8]| [format!("{:x}\r\n", part.len()).as_bytes(), part, b"\r\n"].concat();
    let mut bytes: Vec<u8> = body.chunks(size).flat_map(chunk).collect();
    bytes.extend(b"0\r\n\r\n");
    bytes
}

#[test]
fn bodies_arrive_unchanged() {
    let root = Authority::new("Root");
    for server in [server(&root), server(&root).tls12()] {
        let target = Target::https(&server, |request| match request.target() {
            "/length" => {
                let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", request.body.len());
                [head.as_bytes(), &request.body].concat()
            }
            _ => {
                let head = &b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"[..];
                [head, &chunked(&request.body, 70_001)].concat()
            }
        });
        let balancer = start_with(&root, https_both(&target));
        for client in [balancer.tls_client("web").tls12(), balancer.tls_client("web").tls13()] {
            let mut client = client.connect();
            client.send(format!("POST /length HTTP/1.1\r\nHost: a\r\nContent-Length: {BYTES}\r\n\r\n"));
            client.send(pattern());
            assert!(client.response().body == pattern());
            client.send("POST /chunks HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
            client.send(chunked(&pattern(), 12_345));
            assert!(client.response().body == pattern());
        }
        let mut client = Http2Client::secure(&balancer.tls_client("web"));
        for path in ["/length", "/chunks"] {
            assert!(client.exchange("POST", path, &[], &pattern()).body == pattern());
        }
        assert_eq!(target.connections(), 1);
    }
}
