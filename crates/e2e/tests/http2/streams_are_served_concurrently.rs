//! Streams are ordinary requests: forwarded as HTTP/1.1, logged, and served concurrently.

use std::sync::{Arc, Barrier};

use testkit::{Balancer, Config, Target};

use crate::{read, request, with};

#[test]
fn a_request_is_forwarded_as_text() {
    let target = Target::named("hello");
    let balancer = Balancer::start(Config::to(&target));
    with(balancer.web(), async |mut connection| {
        let (response, body) = connection.get("/shop?item=1").await;
        assert_eq!((response.status().as_u16(), &body[..]), (200, &b"hello"[..]));
        assert_eq!(response.headers()["content-length"], "5");
        assert!(response.headers().get("connection").is_none());
        let mut with_crumbs = request("GET", "/crumbs");
        for crumb in ["a=1", "b=2"] {
            with_crumbs.headers_mut().append("cookie", crumb.parse().unwrap());
        }
        let (response, _) = connection.send(with_crumbs, true).await;
        read(response.await.unwrap()).await;
    });
    let requests = target.requests();
    assert_eq!(requests[0].start, "GET /shop?item=1 HTTP/1.1");
    assert_eq!(requests[0].field("host"), Some("shop.example"));
    assert_eq!(requests[1].all("cookie"), ["a=1; b=2"]);
    let line = balancer.log_line("request_target", "/shop?item=1");
    assert_eq!((&line["status"], &line["host"]), (&200.into(), &"shop.example".into()), "{line}");
}

/// The target sends no response before all requests have arrived.
#[test]
fn streams_do_not_wait_for_each_other() {
    const STREAMS: usize = 50;
    let barrier = Arc::new(Barrier::new(STREAMS));
    let target = Target::http(move |request| {
        barrier.wait();
        testkit::ok(request.target())
    });
    let balancer = Balancer::start(Config::to(&target));
    with(balancer.web(), async |mut connection| {
        let mut responses = Vec::new();
        for number in 0..STREAMS {
            responses.push(connection.send(request("GET", &format!("/{number}")), true).await.0);
        }
        for (number, response) in responses.into_iter().enumerate() {
            let (_, body) = read(response.await.unwrap()).await;
            assert_eq!(body, format!("/{number}"));
        }
    });
}

#[test]
fn many_streams_are_served_one_after_the_other() {
    let target = Target::named("hello");
    let balancer = Balancer::start(Config::to(&target));
    with(balancer.web(), async |mut connection| {
        for _ in 0..500 {
            assert_eq!(connection.get("/").await.1, "hello");
        }
    });
}

#[test]
fn failures_are_error_pages() {
    let balancer = Balancer::start(Config::to_addresses(&[testkit::refused_address()]));
    with(balancer.web(), async |mut connection| {
        let (response, body) = connection.get("/").await;
        assert_eq!(response.status(), 502);
        assert!(response.headers().contains_key("proxy-status"));
        assert!(!body.is_empty());
    });
}
