//! A client that half-closes after its last request, or after it has pipelined more, still gets its responses
//! (KA7).

use testkit::{Balancer, Client, Config, Target, ok};

use crate::{GET, LONG, nothing_is_left};

/// Answers after the time in which an abort is noticed.
fn patient() -> Target {
    Target::script(|mut connection| {
        while let Ok(request) = connection.request() {
            if request.target() != "/quick" {
                assert!(!connection.closes_within(LONG), "the request was cancelled");
            }
            connection.send(ok(request.target()))?;
        }
        Ok(())
    })
}

#[test]
fn last_request_may_half_close() {
    for request in [
        "GET /last HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        "GET /last HTTP/1.0\r\n\r\n",
        "POST /last HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 3\r\n\r\nabc",
    ] {
        let target = patient();
        let balancer = Balancer::start(Config::to(&target));
        let mut client = Client::connect(balancer.web());
        client.send(request);
        client.half_close();
        assert_eq!(client.response().text(), "/last", "{request:?}");
        assert!(client.is_closed());
        assert_eq!(balancer.log_line("status", 200)["reason"], serde_json::Value::Null);
        nothing_is_left(&balancer);
    }
}

#[test]
fn pipelined_requests_are_served_before_the_half_close_counts() {
    let target = patient();
    let balancer = Balancer::start(Config::to(&target));
    let mut client = Client::connect(balancer.web());
    client.send(
        "GET /one HTTP/1.1\r\nHost: a\r\n\r\nGET /two HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    );
    client.half_close();
    assert_eq!(client.response().text(), "/one");
    assert_eq!(client.response().text(), "/two");
    assert!(client.is_closed());
    nothing_is_left(&balancer);
}

/// The second request arrives while the first is in flight, followed by the half-close.
#[test]
fn a_request_received_meanwhile_is_served_before_the_half_close_counts() {
    let target = patient();
    let balancer = Balancer::start(Config::to(&target));
    let mut client = Client::connect(balancer.web());
    client.send("GET /quick HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(client.response().text(), "/quick");
    client.send(GET);
    testkit::wait_until("the request is in flight", || target.requests().len() == 2);
    client.send("GET /two HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    client.half_close();
    assert_eq!(client.response().text(), "/");
    assert_eq!(client.response().text(), "/two");
    nothing_is_left(&balancer);
}

/// The response's `Connection: close` told the client that no further request is served.
#[test]
fn after_connection_close_a_client_may_half_close() {
    let target = Target::script(|mut connection| {
        connection.request()?;
        connection.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfirst")?;
        assert!(!connection.closes_within(LONG), "the request was cancelled");
        connection.send("other")
    });
    let balancer = Balancer::start(Config::to(&target).listener("keepalive_requests = 1"));
    let mut client = Client::connect(balancer.web());
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(client.head().unwrap().field("connection"), Some("close"));
    client.half_close();
    assert_eq!(client.read_exactly(10), b"firstother");
    assert!(client.is_closed());
    nothing_is_left(&balancer);
}
