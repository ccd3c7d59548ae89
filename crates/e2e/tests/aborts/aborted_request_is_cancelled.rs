//! If a client resets its connection, or half-closes one that it would have kept, the target's connection is
//! freed within a second, whatever is in flight, and the abort is logged (KA7).

use testkit::{Balancer, Client, Config, Target, elapsed, full_backlog, wait_until};

use crate::{GET, LONG, nothing_is_left};

const HALF_A_POST: &str = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc";
const POST: &str = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc";
const CHUNKED: &str = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
const KEPT_1_0: &str = "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n";

/// Answers `/warm`. To any other request it sends this part of a response.
fn target(part: &'static str) -> Target {
    Target::script(move |mut connection| {
        while connection.head()?.target() == "/warm" {
            connection.send(testkit::ok("warm"))?;
        }
        connection.send(part)?;
        connection.stall()
    })
}

#[test]
fn aborted_request_is_cancelled() {
    const PART: &str = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc";
    for (request, part) in
        [(GET, ""), (HALF_A_POST, ""), (POST, ""), (CHUNKED, ""), (KEPT_1_0, ""), (GET, PART), (POST, PART)]
    {
        for (is_reset, is_warm) in [(true, false), (false, true)] {
            let target = target(part);
            let balancer = Balancer::start(Config::to(&target));
            let mut client = Client::connect(balancer.web());
            if is_warm {
                client.get("/warm");
            }
            client.send(request);
            wait_until("the request is in flight", || target.requests().len() == 1 + usize::from(is_warm));
            if !part.is_empty() {
                client.head().unwrap();
            }
            let mut half = None;
            if is_reset {
                client.reset();
            } else {
                client.half_close();
                half = Some(client);
            }
            let time = elapsed(|| wait_until("the target's connection is closed", || target.open() == 0));
            assert!(time < LONG, "{request:?} {time:?}");
            assert!(half.is_none_or(|mut client| client.is_closed()));
            let line = balancer.log_line("reason", "client_aborted");
            assert_eq!(line["status"], if part.is_empty() { 499 } else { 200 }, "{line}");
            assert_eq!(balancer.metric("evenkeel_listener_client_aborts_total", &[]), 1.0);
            nothing_is_left(&balancer);
        }
    }
}

#[test]
fn an_abort_cancels_a_connect() {
    for is_reset in [true, false] {
        let (address, _held) = full_backlog();
        let balancer =
            Balancer::start(Config::to_addresses(&[address]).group("timeouts = { connect = \"60s\" }"));
        let mut client = Client::connect(balancer.web());
        client.send(GET);
        wait_until("the request is in flight", || balancer.targets()[0]["in_flight"] == 1);
        let time = elapsed(|| {
            if is_reset {
                client.reset();
            } else {
                client.half_close();
                assert!(client.is_closed());
            }
            wait_until("the request has ended", || balancer.targets()[0]["in_flight"] == 0);
        });
        assert!(time < LONG, "{time:?}");
        assert_eq!(balancer.log_line("reason", "client_aborted")["status"], 499);
        nothing_is_left(&balancer);
    }
}

#[test]
fn a_pipelined_second_request_is_aborted() {
    let target = target("");
    let balancer = Balancer::start(Config::to(&target));
    let mut client = Client::connect(balancer.web());
    client.send(format!("GET /warm HTTP/1.1\r\nHost: a\r\n\r\n{GET}"));
    client.half_close();
    assert_eq!(client.response().text(), "warm");
    assert!(client.is_closed());
    assert_eq!(balancer.log_line("reason", "client_aborted")["connection_request"], 2);
    nothing_is_left(&balancer);
}
