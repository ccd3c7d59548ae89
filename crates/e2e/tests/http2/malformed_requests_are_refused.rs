//! Requests that HTTP/2 forbids are refused, each on its own stream.

use h2::Reason;
use http::Request;
use testkit::{Balancer, Config, Target};

use crate::{request, with};

#[test]
fn a_contradiction_resets_its_stream_only() {
    let target = Target::named("hello");
    let balancer = Balancer::start(Config::to(&target));
    with(balancer.web(), async |mut connection| {
        let mut two_hosts = request("GET", "/");
        two_hosts.headers_mut().insert("host", "other.example".parse().unwrap());
        let mut userinfo = request("GET", "/");
        *userinfo.uri_mut() = "http://me@shop.example/".parse().unwrap();
        let mut blank = request("GET", "/");
        blank.headers_mut().insert("x", " y".parse().unwrap());
        for wrong in [two_hosts, userinfo, blank] {
            let (response, _) = connection.send(wrong, true).await;
            assert_eq!(response.await.unwrap_err().reason(), Some(Reason::PROTOCOL_ERROR));
        }
        assert_eq!(connection.get("/").await.1, "hello");
    });
    assert_eq!(target.requests().len(), 1);
}

#[test]
fn the_limits_of_http1_apply() {
    let target = Target::named("hello");
    let balancer = Balancer::start(Config::to(&target));
    with(balancer.web(), async |mut connection| {
        let (response, _) = connection.get(&format!("/{}", "x".repeat(17_000))).await;
        assert_eq!(response.status(), 414);
        let mut many = request("GET", "/");
        for _ in 0..150 {
            many.headers_mut().append("cookie", "a=b".parse().unwrap());
        }
        let (response, _) = connection.send(many, true).await;
        assert_eq!(response.await.unwrap().status(), 431);
        let connect = Request::builder().method("CONNECT").uri("a.example:443").body(()).unwrap();
        let (response, _) = connection.send(connect, false).await;
        assert_eq!(response.await.unwrap().status(), 405);
        assert_eq!(connection.get("/").await.1, "hello");
    });
    assert_eq!(balancer.log_line("status", 414)["reason"], "request_line_too_long");
}
