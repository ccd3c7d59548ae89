//! Megabytes go both ways at once and arrive unchanged, copied or spliced (L46).

use std::thread;

use testkit::{Balancer, Client};

use crate::{echo, tcp};

#[test]
fn bulk_arrives_unchanged() {
    let target = echo();
    let balancer = Balancer::start(tcp(&target).top("workers = 2"));
    let web = balancer.web();
    let clients: Vec<_> = (0..3_usize)
        .map(|seed| {
            thread::spawn(move || {
                let sent: Vec<u8> = (0..BYTES).map(|at| (at * (7 + seed) / 3) as u8).collect();
                let mut client = Client::connect(web);
                let mut reader = client.duplicate();
                let wanted = sent.clone();
                let read = thread::spawn(move || assert!(reader.read_exactly(BYTES) == wanted));
                client.send(&sent);
                read.join().unwrap();
                client.half_close();
                assert_eq!(client.read().unwrap(), b"");
            })
        })
        .collect();
    clients.into_iter().for_each(|client| client.join().unwrap());
    testkit::wait_until("three lines", || balancer.log_lines().len() == 3);
    for line in balancer.log_lines() {
        assert_eq!((&line["bytes_in"], &line["bytes_out"]), (&BYTES.into(), &BYTES.into()));
    }
    let sent = balancer.metric("evenkeel_listener_sent_bytes_total", &[]);
    assert_eq!(sent, (3 * BYTES) as f64, "spliced bytes count as well");
}

const BYTES: usize = 8 << 20;
