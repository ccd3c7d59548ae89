//! With `client_abort = "ignore"`, the target of an aborted request finishes its response, its connection is
//! reused, and the abort is logged (KA7).

use testkit::{Balancer, Client, Config, Target, full_backlog, get, ok, response, wait_until};

use crate::{GET, LONG, nothing_is_left};

fn config(target: &Target) -> Config {
    Config::to(target).listener("client_abort = \"ignore\"")
}

/// Answers with this after the time in which an abort is noticed; answers further requests with "next".
fn patient(answer: Vec<u8>) -> Target {
    Target::script(move |mut connection| {
        connection.request()?;
        assert!(!connection.closes_within(LONG), "the request was cancelled");
        connection.send(&answer)?;
        while connection.request().is_ok() {
            connection.send(ok("next"))?;
        }
        Ok(())
    })
}

#[test]
fn ignored_abort_lets_the_request_finish() {
    let chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n".to_vec();
    let interim = [b"HTTP/1.1 103 Early Hints\r\n\r\n".to_vec(), ok("late")].concat();
    let post = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc";
    for (request, answer) in
        [(post, ok("late")), (GET, chunked), (GET, interim), (GET, response(200, "", &"x".repeat(1 << 20)))]
    {
        let target = patient(answer);
        let balancer = Balancer::start(config(&target));
        let mut client = Client::connect(balancer.web());
        client.send(request);
        wait_until("the request is in flight", || target.requests().len() == 1);
        client.reset();
        let line = balancer.log_line("reason", "client_aborted");
        assert_eq!((line["status"].as_u64(), line["response_body_bytes"].as_u64()), (Some(499), Some(0)));
        assert_eq!(get(balancer.web(), "/").text(), "next");
        assert_eq!(target.connections(), 1, "the connection is reused");
        nothing_is_left(&balancer);
    }
}

/// A long response is read to its end, whether it is copied or spliced.
#[test]
fn a_client_lost_within_the_response_does_not_cost_the_connection() {
    const LENGTH: usize = 16 << 20;
    for fields in ["", "Transfer-Encoding: chunked\r\n"] {
        let target = Target::script(move |mut connection| {
            connection.request()?;
            if fields.is_empty() {
                connection.send(response(200, "", &"x".repeat(LENGTH)))?;
            } else {
                connection.send(format!("HTTP/1.1 200 OK\r\n{fields}\r\n"))?;
                for _ in 0..LENGTH >> 16 {
                    connection.send(format!("10000\r\n{}\r\n", "x".repeat(1 << 16)))?;
                }
                connection.send("0\r\n\r\n")?;
            }
            while connection.request().is_ok() {
                connection.send(ok("next"))?;
            }
            Ok(())
        });
        let balancer = Balancer::start(config(&target));
        let mut client = Client::connect(balancer.web());
        client.send(GET);
        client.head().unwrap();
        client.read_exactly(1 << 20);
        client.reset();
        let line = balancer.log_line("reason", "client_aborted");
        assert_eq!(line["status"], 200);
        assert_eq!(get(balancer.web(), "/").text(), "next");
        assert_eq!(target.connections(), 1, "{fields:?}");
        nothing_is_left(&balancer);
    }
}

#[test]
fn a_half_closed_client_gets_its_response() {
    let target = patient(ok("late"));
    let balancer = Balancer::start(config(&target));
    let mut client = Client::connect(balancer.web());
    client.send(GET);
    client.half_close();
    assert_eq!(client.response().text(), "late");
    assert!(client.is_closed());
    nothing_is_left(&balancer);
}

/// An incomplete request cannot be finished.
#[test]
fn half_a_request_is_cancelled() {
    let target = Target::script(|mut connection| {
        connection.head()?;
        connection.stall()
    });
    let balancer = Balancer::start(config(&target));
    let mut client = Client::connect(balancer.web());
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc");
    wait_until("the request is in flight", || target.requests().len() == 1);
    client.reset();
    wait_until("the target's connection is closed", || target.open() == 0);
    assert_eq!(balancer.log_line("reason", "client_aborted")["status"], 499);
    nothing_is_left(&balancer);
}

/// An endless response is not read for ever.
#[test]
fn an_endless_response_is_ended_by_the_idle_timeout() {
    let target = Target::script(|mut connection| {
        connection.request()?;
        connection.send("HTTP/1.1 200 OK\r\n\r\n")?;
        while !connection.closes_within(std::time::Duration::from_millis(50)) {
            connection.send("event\n")?;
        }
        Ok(())
    });
    let balancer = Balancer::start(config(&target).group("timeouts = { idle = \"1s\" }"));
    let mut client = Client::connect(balancer.web());
    client.send(GET);
    client.head().unwrap();
    client.reset();
    wait_until("the target's connection is closed", || target.open() == 0);
    assert_eq!(balancer.log_line("reason", "client_aborted")["status"], 200);
    nothing_is_left(&balancer);
}

/// The first target never accepts. The request is complete, so the next target gets it.
#[test]
fn the_next_target_is_tried_after_an_abort() {
    let (silent, _held) = full_backlog();
    let target = Target::named("one");
    let config = Config::to_addresses(&[silent, target.address()])
        .listener("client_abort = \"ignore\"")
        .group("timeouts = { connect = \"1s\" }");
    let balancer = Balancer::start(config);
    for _ in 0..2 {
        let attempts = || balancer.metric("evenkeel_target_requests_total", &[]);
        let before = attempts();
        let mut client = Client::connect(balancer.web());
        client.send("POST /work HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc");
        wait_until("the request is in flight", || attempts() > before);
        client.reset();
    }
    wait_until("both are served", || target.requests().len() == 2);
    nothing_is_left(&balancer);
}
