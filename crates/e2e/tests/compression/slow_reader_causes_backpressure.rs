//! A client that does not read slows the target down by backpressure, and the memory of a compressed response
//! does not grow with its length (HTTP5).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use testkit::{Balancer, Client, Target, wait_for};

use crate::compressing;

const BLOCK: usize = 64 * 1024;
const BYTES: usize = 40 * 1024 * 1024;

#[test]
fn slow_reader_causes_backpressure() {
    let sent = Arc::new(AtomicUsize::new(0));
    // Data that does not compress.
    let block: Vec<u8> =
        (0..BLOCK as u64).map(|n| (n.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56) as u8).collect();
    let target = Target::script({
        let sent = Arc::clone(&sent);
        move |mut connection| {
            connection.head()?;
            connection.send(format!(
                "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {BYTES}\r\n\r\n"
            ))?;
            for _ in 0..BYTES / BLOCK {
                connection.send(&block)?;
                sent.fetch_add(BLOCK, Ordering::Relaxed);
            }
            connection.stall()
        }
    });
    let balancer = Balancer::start(compressing(&target));
    let mut client = Client::connect(balancer.web());
    client.send("GET / HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n");
    let stalled_at = wait_for("the target stalls", || {
        let now = sent.load(Ordering::Relaxed);
        let later = std::iter::repeat_with(|| sent.load(Ordering::Relaxed)).take(100_000).last().unwrap();
        (now > 0 && now == later && !client.is_open_and_silent()).then_some(now)
    });
    assert!(stalled_at < BYTES / 2, "{stalled_at} bytes were taken from the target");
    assert!(balancer.resident_bytes() < 50 * 1024 * 1024, "{}", balancer.resident_bytes());
    let response = client.response();
    assert!(response.is_complete && crate::plain(&response).map(|body| body.len()) == Some(BYTES));
    assert!(balancer.resident_bytes() < 50 * 1024 * 1024, "{}", balancer.resident_bytes());
}
