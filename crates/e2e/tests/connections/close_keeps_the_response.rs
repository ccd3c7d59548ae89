//! The close of a connection destroys nothing that the client has not read yet, whatever the client has sent behind its
//! last request (RFC 9112 §9.6). The response is larger than the client's window, so that its tail is still in the
//! balancer's kernel when the exchange is over.

use testkit::{Balancer, Client, Config, Signal, Target, response, wait_until};

const LENGTH: usize = 180_000;

fn page() -> String {
    "x".repeat(LENGTH)
}

fn start(keepalive_requests: u32) -> (Target, Balancer) {
    let target = Target::http(|_| response(200, "", &page()));
    let config = Config::to(&target)
        .listener(&format!("keepalive_requests = {keepalive_requests}"))
        .listener("error_pages = { 400 = \"page.txt\" }")
        .rule(&format!("path = \"/ours\"\nrespond = {{ status = 200, body = \"{}\" }}", page()));
    let balancer = Balancer::prepare(config).file("page.txt", &page()).start();
    (target, balancer)
}

/// Sends `request`, and `behind` when the response has begun to come, and then a FIN if it `ends`. Reads the rest when the
/// exchange is over.
#[track_caller]
fn read_late(balancer: &Balancer, request: &str, behind: &str, ends: bool) -> Client {
    let logged = balancer.log_lines().len();
    let mut client = Client::connect(balancer.web());
    client.send(request);
    client.head().unwrap();
    client.send(behind);
    if ends {
        client.half_close();
    }
    wait_until("the exchange is over", || balancer.log_lines().len() > logged);
    assert_eq!(client.read_exactly(LENGTH).len(), LENGTH, "{request:?}, then {behind:?}, ends: {ends}");
    client
}

#[test]
fn bytes_behind_the_last_request_do_not_cut_its_response() {
    let (_target, balancer) = start(10_000);
    let get = "GET /2 HTTP/1.1\r\nHost: a\r\n\r\n";
    for (behind, ends) in [("\r\n", false), (get, false), ("\r\n", true), (get, true)] {
        for request in [
            "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
            "GET /ours HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 3\r\n\r\nabc",
            "GET / HTTP/1.0\r\nHost: a\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
        ] {
            assert!(read_late(&balancer, request, behind, ends).is_closed(), "{request:?}");
        }
    }
    assert_eq!(balancer.log_lines().len(), 20);
    wait_until("all connections are closed", || balancer.metric("evenkeel_connections_open", &[]) == 0.0);
}

#[test]
fn the_last_of_keepalive_requests_is_not_cut() {
    let (_target, balancer) = start(1);
    let get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    assert!(read_late(&balancer, get, get, false).is_closed());
    assert!(read_late(&balancer, get, get, true).is_closed());
}

#[test]
fn a_stop_waits_until_the_last_response_has_arrived() {
    let (_target, mut balancer) = start(10_000);
    let mut client = Client::connect(balancer.web());
    client.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    client.head().unwrap();
    client.send("\r\n");
    wait_until("the exchange is over", || balancer.log_lines().len() == 1);
    balancer.signal(Signal::TERM);
    assert_eq!(client.read_exactly(LENGTH).len(), LENGTH);
    assert!(client.is_closed());
    drop(client);
    assert!(balancer.wait_exit().success());
}
