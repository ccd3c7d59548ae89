//! Interim responses are passed to HTTP/1.1 clients only, and a flood of them becomes a 502.

use std::time::Duration;

use testkit::{Balancer, Client, Config, Target, ok};

fn hints(count: usize) -> Target {
    Target::http(move |_| {
        let hint = "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\nConnection: x\r\n\r\n";
        [hint.repeat(count).into_bytes(), ok("final")].concat()
    })
}

#[test]
fn interim_responses_are_passed() {
    let target = hints(3);
    let balancer = Balancer::start(Config::to(&target));
    let mut client = Client::connect(balancer.web());
    for _ in 0..2 {
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        for _ in 0..3 {
            let hint = client.response();
            assert_eq!(
                (hint.status(), hint.field("link"), hint.field("connection")),
                (103, Some("</a.css>"), None)
            );
        }
        assert_eq!(client.response().text(), "final");
    }
    client.send("GET / HTTP/1.0\r\n\r\n");
    assert_eq!(client.response().text(), "final");
}

#[test]
fn a_flood_is_502() {
    let target = hints(1000);
    let balancer = Balancer::start(Config::to(&target));
    let mut client = Client::connect(balancer.web());
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    let mut interim = 0;
    let response = loop {
        match client.response() {
            response if response.status() == 103 => interim += 1,
            response => break response,
        }
    };
    assert!(interim <= 20, "{interim}");
    assert_eq!((response.status(), response.reason().as_str()), (502, "target_response_malformed"));
}

/// A rate is limited, not their number: a long request may report its progress.
#[test]
fn more_may_come_with_time() {
    let target = Target::script(|mut connection| {
        connection.request()?;
        for _ in 0..16 {
            connection.send("HTTP/1.1 102 Processing\r\n\r\n")?;
        }
        // Nothing comes: three more are earned meanwhile.
        connection.request_within(Duration::from_millis(3_200))?;
        for _ in 0..3 {
            connection.send("HTTP/1.1 102 Processing\r\n\r\n")?;
        }
        connection.send(ok("final"))
    });
    let balancer = Balancer::start(Config::to(&target));
    let mut client = Client::connect(balancer.web());
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    for _ in 0..19 {
        assert_eq!(client.response().status(), 102);
    }
    assert_eq!(client.response().text(), "final");
}
