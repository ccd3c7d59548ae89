//! A client that does not read slows the target down by backpressure through TLS on both sides, and uses little
//! memory (KA2).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use testkit::{Authority, Target, wait_for};

use crate::{https_both, server, start_with};

const BYTES: usize = 96 * 1024 * 1024;
const BLOCK: usize = 64 * 1024;

#[test]
fn slow_reader_causes_backpressure() {
    let root = Authority::new("Root");
    let sent = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&sent);
    let target = Target::tls(&server(&root), move |mut connection| {
        connection.head()?;
        connection.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {BYTES}\r\n\r\n"))?;
        for _ in 0..BYTES / BLOCK {
            connection.send([b'x'; BLOCK])?;
            count.fetch_add(BLOCK, Ordering::Relaxed);
        }
        Ok(())
    });
    let balancer = start_with(&root, https_both(&target));
    let mut client = balancer.tls_client("web").connect();
    client.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    client.head().unwrap();
    let mut before = 0;
    let stalled_at = wait_for("the target stalls", || {
        let now = sent.load(Ordering::Relaxed);
        let is_same = std::mem::replace(&mut before, now) == now && now > 0;
        is_same.then_some(now)
    });
    assert!(stalled_at < BYTES / 2, "{stalled_at} bytes were taken from the target");
    assert!(balancer.resident_bytes() < 60 << 20, "{}", balancer.resident_bytes());
    let mut got = 0;
    while let count @ 1.. = client.read().unwrap().len() {
        got += count;
    }
    assert_eq!(got, BYTES);
    assert!(balancer.resident_bytes() < 60 << 20, "{}", balancer.resident_bytes());
}
