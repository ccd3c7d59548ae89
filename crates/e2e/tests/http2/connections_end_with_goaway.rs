//! A connection that is idle, has reached its number of requests, or whose balancer stops, gets a GOAWAY;
//! requests in flight are answered.

use std::sync::{Arc, Barrier};

use testkit::{Balancer, Config, Signal, Target};

use crate::{read, request, with};

#[test]
fn an_idle_connection_is_ended() {
    let target = Target::named("hello");
    let balancer = Balancer::start(Config::to(&target).listener("keepalive_timeout = \"1s\""));
    with(balancer.web(), async |mut connection| {
        assert_eq!(connection.get("/").await.1, "hello");
        assert!(connection.end.await.unwrap().is_ok());
    });
}

/// A reload changes the next idle period of a connection that began before it (KA2).
#[test]
fn a_reload_changes_how_long_it_may_be_idle() {
    let target = Target::named("hello");
    let config =
        |keepalive: &str| Config::to(&target).listener(&format!("keepalive_timeout = \"{keepalive}\""));
    let balancer = Balancer::start(config("1h"));
    with(balancer.web(), async |mut connection| {
        assert_eq!(connection.get("/").await.1, "hello");
        balancer.reload(config("1s")).unwrap();
        assert_eq!(connection.get("/").await.1, "hello");
        assert!(connection.end.await.unwrap().is_ok());
    });
}

#[test]
fn streams_are_counted_as_requests() {
    let target = Target::named("hello");
    let balancer = Balancer::start(Config::to(&target).listener("keepalive_requests = 3"));
    with(balancer.web(), async |mut connection| {
        for _ in 0..3 {
            assert_eq!(connection.get("/").await.1, "hello");
        }
        assert!(connection.end.await.unwrap().is_ok());
    });
}

#[test]
fn a_stop_lets_the_request_in_flight_end() {
    let stopped = Arc::new(Barrier::new(2));
    let told = Arc::clone(&stopped);
    let target = Target::http(move |_| {
        told.wait();
        testkit::ok("hello")
    });
    let mut balancer = Balancer::start(Config::to(&target));
    with(balancer.web(), async |mut connection| {
        let (response, _) = connection.send(request("GET", "/"), true).await;
        while target.requests().is_empty() {
            tokio::task::yield_now().await;
        }
        balancer.signal(Signal::TERM);
        stopped.wait();
        let (_, body) = read(response.await.unwrap()).await;
        assert_eq!(body, "hello");
        assert!(connection.end.await.unwrap().is_ok());
    });
    assert!(balancer.wait_exit().success());
}
