//! The byte counters of listeners and targets have every byte of HTTP messages and tunnels, in both directions, while they
//! move (OP6).

use std::net::SocketAddr;

use testkit::{Balancer, Config, Http2Client, Http2Target, ok, refused_address, wait_until};

use crate::wire::{Counting, Tally, target};

/// Of listener and target: received, sent.
fn counted(balancer: &Balancer) -> [f64; 4] {
    let of = |family: &str| balancer.metric(&format!("evenkeel_{family}_bytes_total"), &[]);
    [of("listener_received"), of("listener_sent"), of("target_received"), of("target_sent")]
}

#[track_caller]
fn wait_for(balancer: &Balancer, client: &Tally, targets: &[&Tally]) {
    let sum = |of: fn(&Tally) -> f64| targets.iter().map(|tally| of(tally)).sum::<f64>();
    let expected = || [client.sent(), client.received(), sum(Tally::sent), sum(Tally::received)];
    wait_until(&format!("{:?}, have {:?}", expected(), counted(balancer)), || {
        counted(balancer) == expected()
    });
}

fn to(address: SocketAddr) -> Config {
    Config::to_addresses(&[address])
}

fn ends(input: &[u8], end: &str) -> bool {
    input.ends_with(end.as_bytes())
}

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

#[test]
fn of_messages_in_chunks_and_with_a_length() {
    let (address, at_target) = target(|input| {
        let response = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nwell\r\n0\r\n\r\n";
        (ends(input, "0\r\n\r\n") || ends(input, "body")).then(|| response.to_vec())
    });
    let balancer = Balancer::start(to(address));
    let mut client = Counting::connect(balancer.web());
    client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2;x=y\r\nab\r\n");
    client.send("0\r\n\r\n");
    client.read_until("0\r\n\r\n");
    wait_for(&balancer, &client.tally, &[&at_target]);
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody");
    client.read_until("0\r\n\r\n");
    wait_for(&balancer, &client.tally, &[&at_target]);
}

#[test]
fn of_a_long_body_that_is_spliced() {
    let (address, at_target) = target(|input| {
        let body = vec![b'x'; 5_000_000];
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
        ends(input, "\r\n\r\n").then(|| [head.into_bytes(), body].concat())
    });
    let balancer = Balancer::start(to(address));
    let mut client = Counting::connect(balancer.web());
    client.send(GET);
    assert!(client.read_to_end().len() > 5_000_000);
    wait_for(&balancer, &client.tally, &[&at_target]);
}

#[test]
fn of_a_compressed_response() {
    let (address, at_target) = target(|input| {
        let body = "<li>item</li>\n".repeat(2_000);
        let head =
            format!("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {}\r\n\r\n", body.len());
        ends(input, "\r\n\r\n").then(|| (head + &body).into_bytes())
    });
    let balancer = Balancer::start(to(address).listener("compression = \"on\""));
    let mut client = Counting::connect(balancer.web());
    client.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nAccept-Encoding: gzip\r\n\r\n");
    assert!(client.read_to_end().len() < 5_000);
    wait_for(&balancer, &client.tally, &[&at_target]);
}

#[test]
fn of_a_tunnel_before_it_ends() {
    let (address, at_target) = target(|input| {
        let accept = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                      Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
        let is_head = ends(input, "\r\n\r\n");
        Some(if is_head { accept.into() } else { b"\x81\x02hi".to_vec() })
    });
    let balancer = Balancer::start(to(address));
    let mut client = Counting::connect(balancer.web());
    client.send(
        "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    );
    client.read_until("\r\n\r\n");
    wait_for(&balancer, &client.tally, &[&at_target]);
    for _ in 0..3 {
        client.send(b"\x81\x82\0\0\0\0hi");
        client.read_until("hi");
        wait_for(&balancer, &client.tally, &[&at_target]);
    }
}

#[test]
fn of_our_own_errors() {
    for (request, status) in [(GET, "502"), ("GET / HTTP/1.1\r\nNo colon\r\n\r\n", "400")] {
        let balancer = Balancer::start(to(refused_address()));
        let mut client = Counting::connect(balancer.web());
        client.send(request);
        assert!(client.read_to_end().starts_with(format!("HTTP/1.1 {status} ").as_bytes()));
        wait_for(&balancer, &client.tally, &[]);
    }
}

#[test]
fn of_each_attempt() {
    let (closing, at_closing) = target(|input| ends(input, "\r\n\r\n").then(Vec::new));
    let (good, at_good) = target(|input| {
        let response = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok".to_vec();
        ends(input, "\r\n\r\n").then_some(response)
    });
    let balancer = Balancer::start(Config::to_addresses(&[closing, good]));
    let mut client = Counting::connect(balancer.web());
    for _ in 0..4 {
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        client.read_until("\r\n\r\nok");
    }
    assert!(at_closing.received() > 0.0);
    wait_for(&balancer, &client.tally, &[&at_closing, &at_good]);
}

/// HTTP/2 counts as the HTTP/1.1 text that it is translated to and from.
#[test]
fn of_http2_on_both_sides() {
    let target = Http2Target::http(|request| ok(&request.text().repeat(3)));
    let balancer = Balancer::start(to(target.address()).group("protocol = \"h2c\""));
    let mut client = Http2Client::connect(balancer.web());
    let body = "x".repeat(10_000);
    let response = client.exchange("POST", "/", &[("content-length", "10000")], body.as_bytes());
    assert_eq!(response.text().len(), 30_000);
    let is_near = |count: f64, body: f64| count > body && count < body + 1_000.0;
    wait_until("heads and bodies", || {
        let [received, sent, from_target, to_target] = counted(&balancer);
        let small = [received, to_target].iter().all(|&count| is_near(count, 10_000.0));
        small && [sent, from_target].iter().all(|&count| is_near(count, 30_000.0))
    });
}
