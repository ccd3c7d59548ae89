//! Bytes that a target sends without a request, after a response or between two, are never taken for a
//! response.

use std::sync::Mutex;
use std::sync::mpsc::sync_channel;

use testkit::{Balancer, Client, Config, Target, ok};

#[test]
fn an_extra_response_is_dropped() {
    let target = Target::http(|request| [ok(request.target()), ok("poison")].concat());
    let balancer = Balancer::start(Config::to(&target));
    let mut client = Client::connect(balancer.web());
    for path in ["/1", "/2", "/3"] {
        assert_eq!(client.get(path).text(), path);
    }
    assert_eq!(target.connections(), 3, "such a connection is not reused");
}

#[test]
fn a_response_without_a_request_is_dropped() {
    let (sent, has_sent) = sync_channel(1);
    let (go, may_send) = sync_channel(1);
    let may_send = Mutex::new(may_send);
    let target = Target::script(move |mut connection| {
        let request = connection.request()?;
        connection.send(ok(request.target()))?;
        may_send.lock().unwrap().recv().unwrap();
        connection.send(ok("poison"))?;
        sent.send(()).unwrap();
        connection.stall()
    });
    let balancer = Balancer::start(Config::to(&target));
    let mut client = Client::connect(balancer.web());
    for round in 0..40 {
        let method = if round % 2 == 0 { "GET" } else { "POST" };
        client.send(format!("{method} /{round} HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"));
        assert_eq!(client.response().text(), format!("/{round}"));
        go.send(()).unwrap();
        has_sent.recv().unwrap();
    }
}

#[test]
fn a_body_after_a_head_response_is_dropped() {
    let target = Target::http(|request| match request.method() {
        "HEAD" => ok("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison"),
        _ => ok("clean"),
    });
    let balancer = Balancer::start(Config::to(&target));
    let mut client = Client::connect(balancer.web());
    for _ in 0..3 {
        client.send("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(client.response().status(), 200);
        assert_eq!(client.get("/").text(), "clean");
    }
}
