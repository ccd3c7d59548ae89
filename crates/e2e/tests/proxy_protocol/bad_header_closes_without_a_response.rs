//! If an expected PROXY header is missing or malformed, the connection is closed without a response and counted
//! (L47).

use testkit::{Balancer, Client, Target, wait_until};

use crate::{GET, SENDER, V4, binary, config, counted};

#[test]
fn bad_header_closes_without_a_response() {
    let target = Target::named("served");
    let balancer = Balancer::start(config(&target));
    let mut wrong_sum = V4.to_vec();
    wrong_sum.extend([3, 0, 4, 1, 2, 3, 4]);
    let cases = [
        (GET.to_vec(), "missing"),
        (b"\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n".to_vec(), "missing"),
        (b"\x16\x03\x01\x02\x00\x01".to_vec(), "missing"),
        (vec![0; 5000], "missing"),
        (b"PROXY TCP4 192.0.2.1 198.51.100.7 56324\r\n".to_vec(), "malformed"),
        (b"PROXY TCP4 192.0.2.1 198.51.100.7 56324 443\n".to_vec(), "malformed"),
        (b"PROXY TCP4 192.0.2.01 198.51.100.7 1 2\r\n".to_vec(), "malformed"),
        ([b"PROXY UNKNOWN ".to_vec(), vec![b'x'; 5000]].concat(), "malformed"),
        (binary(2, 0x11, V4), "malformed"),
        (binary(1, 0x11, &V4[..11]), "malformed"),
        (binary(1, 0x11, &wrong_sum), "malformed"),
        (binary(1, 0x11, &[V4, &[4, 255, 255]].concat()), "malformed"),
        (binary(1, 0x11, &[V4, &[0; 4096]].concat()), "malformed"),
    ];
    let (mut missing, mut malformed) = (0.0, 0.0);
    for (bytes, result) in cases {
        let mut sender = Client::connect_from(SENDER, balancer.web());
        // Bytes after the header are never parsed.
        let _ = sender.try_send([&bytes, GET].concat());
        assert!(sender.try_response().is_err() && sender.is_closed(), "{bytes:?}");
        *(if result == "missing" { &mut missing } else { &mut malformed }) += 1.0;
        wait_until(result, || {
            (counted(&balancer, "missing"), counted(&balancer, "malformed")) == (missing, malformed)
        });
    }
    assert!(balancer.stderr().contains("no PROXY header to believe"), "{}", balancer.stderr());
    assert_eq!(target.connections(), 0);
    wait_until("all connections are closed", || {
        balancer.metric("evenkeel_listener_connections_open", &[]) == 0.0
    });
    assert_eq!(balancer.log_lines().len(), 0, "no request is logged");
}

#[test]
fn a_port_scan_is_counted_but_not_logged() {
    let target = Target::named("served");
    let balancer = Balancer::start(config(&target));
    Client::connect_from(SENDER, balancer.web()).half_close();
    Client::connect_from(SENDER, balancer.web()).reset();
    wait_until("both connections are counted", || counted(&balancer, "closed") == 2.0);
    assert!(!balancer.stderr().contains("PROXY"), "{}", balancer.stderr());
    let mut cut = Client::connect_from(SENDER, balancer.web());
    cut.send("PROXY TCP4 ");
    cut.half_close();
    assert!(cut.is_closed());
    assert_eq!(counted(&balancer, "malformed"), 1.0);
}
