//! A client that does not read its response is closed after `send_timeout`, whether the response is ours or a
//! target's. The target is freed, and other clients are served meanwhile (KA12).

use std::time::Duration;

use testkit::{Balancer, Client, Config, Target, elapsed, get, response, wait_until};

#[test]
fn slow_reader_is_closed() {
    let target = Target::http(|request| match request.target() {
        "/" => testkit::ok("served"),
        _ => response(200, "", &"x".repeat(64 << 20)),
    });
    let page = "x".repeat(200 * 1024);
    let config = Config::to(&target)
        .listener("send_timeout = \"1s\"")
        .rule(&format!("path = \"/page\"\nrespond = {{ status = 200, body = \"{page}\" }}"));
    let balancer = Balancer::start(config);
    for request in [
        "GET /long HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(),
        "GET /page HTTP/1.1\r\nHost: a\r\n\r\n".repeat(200),
    ] {
        let mut client = Client::connect(balancer.web());
        client.send(request);
        client.head().unwrap();
        let lines =
            || balancer.log_lines().iter().filter(|line| line["reason"] == "client_send_timeout").count();
        let before = lines();
        let time = elapsed(|| {
            wait_until("the client is timed out", || {
                assert_eq!(get(balancer.web(), "/").text(), "served");
                lines() > before
            });
        });
        assert!((Duration::from_millis(900)..Duration::from_secs(4)).contains(&time), "{time:?}");
        assert!(client.is_closed());
    }
    wait_until("no request is in flight", || {
        balancer.metric("evenkeel_target_requests_in_flight", &[]) == 0.0
    });
}

/// Slow is not stalled: a client that reads a little now and then gets the whole response.
#[test]
fn a_slow_reader_is_served() {
    const LENGTH: usize = 8 << 20;
    let target = Target::http(|_| response(200, "", &"x".repeat(LENGTH)));
    let balancer = Balancer::start(Config::to(&target).listener("send_timeout = \"1s\""));
    let mut client = Client::connect(balancer.web());
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    client.head().unwrap();
    let mut left = LENGTH;
    for _ in 0..3 {
        assert_eq!(client.read_exactly(2 << 20).len(), 2 << 20);
        left -= 2 << 20;
        // The other request only provides a pause.
        wait_until("another request is served", || get(balancer.web(), "/").is_complete);
    }
    assert_eq!(client.read_exactly(left).len(), left);
    assert!(client.is_open_and_silent());
}
