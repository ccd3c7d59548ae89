//! Megabytes go both ways unharmed, with TLS on both sides, and nobody is overrun (TLS1, TLS5, KA2).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use testkit::{Authority, Balancer, Config, Http2Client, Target, TlsServer, wait_for};

const BYTES: usize = 3 * 1024 * 1024;
const ENDLESS: usize = 96 * 1024 * 1024;
const BLOCK: usize = 64 * 1024;

fn start(target: &Target, root: &Authority) -> Balancer {
    let config = Config::to(target).https(&["site.pem"]).group("protocol = \"https\"");
    Balancer::prepare(config.group("tls = { ca = \"ca.pem\" }"))
        .file("site.pem", &root.leaf(&[]).issue().pem())
        .file("ca.pem", &root.pem())
        .start()
}

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
fn bodies_are_unharmed() {
    let root = Authority::new("Root");
    for server in [TlsServer::new(&root.leaf(&[]).issue()), TlsServer::new(&root.leaf(&[]).issue()).tls12()] {
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
        let balancer = start(&target, &root);
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

#[test]
fn slow_reader_holds_the_sender_back() {
    let root = Authority::new("Root");
    let sent = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&sent);
    let target = Target::tls(&TlsServer::new(&root.leaf(&[]).issue()), move |mut connection| {
        connection.head()?;
        connection.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {ENDLESS}\r\n\r\n"))?;
        for _ in 0..ENDLESS / BLOCK {
            connection.send([b'x'; BLOCK])?;
            count.fetch_add(BLOCK, Ordering::Relaxed);
        }
        Ok(())
    });
    let balancer = start(&target, &root);
    let mut client = balancer.tls_client("web").connect();
    client.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    client.head().unwrap();
    let mut before = 0;
    let stalled_at = wait_for("the target stalls", || {
        let now = sent.load(Ordering::Relaxed);
        let is_same = std::mem::replace(&mut before, now) == now && now > 0;
        is_same.then_some(now)
    });
    assert!(stalled_at < ENDLESS / 2, "{stalled_at} bytes were taken from the target");
    assert!(balancer.resident_bytes() < 60 << 20, "{}", balancer.resident_bytes());
    let mut got = 0;
    while let count @ 1.. = client.read().unwrap().len() {
        got += count;
    }
    assert_eq!(got, ENDLESS);
    assert!(balancer.resident_bytes() < 60 << 20, "{}", balancer.resident_bytes());
}
