//! The number of connections to a target: one for as many streams as it allows at a time.

use std::sync::{Arc, Barrier};

use testkit::{Balancer, Http2Client, Http2Target, h2, wait_until};

use crate::h2c;

/// Sends requests that the target answers only when all of them have arrived; returns its number of
/// connections.
fn connections_for(requests: usize, settings: h2::server::Builder) -> usize {
    let barrier = Arc::new(Barrier::new(requests));
    let target = Http2Target::listen(None, settings, move |mut exchange| {
        barrier.wait();
        exchange.respond(200, &[])?;
        exchange.end()
    });
    let balancer = Balancer::start(h2c(&[&target]));
    let mut client = Http2Client::connect(balancer.web());
    let mut streams: Vec<_> = (0..requests)
        .map(|_| {
            let mut stream = client.request("POST", "/", &[]);
            stream.end().unwrap();
            stream
        })
        .collect();
    for stream in &mut streams {
        assert_eq!(stream.response().status(), 200);
    }
    assert_eq!(balancer.metric("evenkeel_target_requests_total", &[]), requests as f64);
    target.connections()
}

#[test]
fn one_connection_carries_all_streams() {
    assert_eq!(connections_for(60, h2::server::Builder::new()), 1);
}

#[test]
fn a_low_stream_limit_needs_more_connections() {
    let mut settings = h2::server::Builder::new();
    settings.max_concurrent_streams(10);
    let connections = connections_for(60, settings);
    assert!((6..=8).contains(&connections), "{connections}");
}

#[test]
fn idle_connections_are_closed() {
    let target = Http2Target::named("one");
    let balancer = Balancer::start(h2c(&[&target]).group("keepalive = { idle_timeout = \"1s\" }"));
    assert_eq!(testkit::get(balancer.web(), "/").text(), "one");
    let open = || balancer.metric("evenkeel_target_connections_open", &[]);
    assert_eq!(open(), 1.0);
    wait_until("the connection has ended", || open() == 0.0);
    assert_eq!(testkit::get(balancer.web(), "/").text(), "one");
    assert_eq!(target.connections(), 2);
}
