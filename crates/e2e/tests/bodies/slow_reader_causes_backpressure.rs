//! A client that does not read slows the target down by backpressure, and uses very little of the balancer's
//! memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use testkit::{Balancer, Client, Config, Target, wait_for};

const BYTES: usize = 200 * 1024 * 1024;
const BLOCK: usize = 64 * 1024;

#[test]
fn slow_reader_causes_backpressure() {
    for head in [format!("Content-Length: {BYTES}\r\n"), String::new()] {
        let sent = Arc::new(AtomicUsize::new(0));
        let target = Target::script({
            let sent = Arc::clone(&sent);
            move |mut connection| {
                connection.head()?;
                connection.send(format!("HTTP/1.1 200 OK\r\n{head}\r\n"))?;
                for _ in 0..BYTES / BLOCK {
                    connection.send([b'x'; BLOCK])?;
                    sent.fetch_add(BLOCK, Ordering::Relaxed);
                }
                Ok(())
            }
        });
        let balancer = Balancer::start(Config::to(&target));
        let mut client = Client::connect(balancer.web());
        client.send("GET / HTTP/1.0\r\n\r\n");
        client.head().unwrap();
        let mut before = 0;
        let stalled_at = wait_for("the target stalls", || {
            let now = sent.load(Ordering::Relaxed);
            let same = now == before && now > 0;
            before = now;
            std::thread::yield_now();
            same.then_some(now)
        });
        assert!(stalled_at < BYTES / 2, "{stalled_at} bytes were taken from the target");
        assert!(balancer.resident_bytes() < 50 * 1024 * 1024, "{}", balancer.resident_bytes());
        let mut got = 0;
        loop {
            match client.read().unwrap().len() {
                0 => break,
                count => got += count,
            }
        }
        assert_eq!(got, BYTES);
        assert!(balancer.resident_bytes() < 50 * 1024 * 1024, "{}", balancer.resident_bytes());
    }
}
