//! A target that does not upgrade sends an ordinary response; HTTP/1.0 cannot upgrade; a 101 without a request
//! for it is a 502.

use testkit::{Balancer, Client, Config, Target, ok, websocket_request};

use crate::strict_server;

#[test]
fn refused_upgrade_is_an_ordinary_response() {
    let target = Target::http(|request| ok(request.field("upgrade").unwrap_or("none")));
    let balancer = Balancer::start(Config::to(&target));
    let mut client = Client::connect(balancer.web());
    client.send(websocket_request("/"));
    let response = client.response();
    assert_eq!((response.status(), response.text().as_str()), (200, "websocket"));
    assert_eq!(client.get("/").text(), "none", "the connection is kept");
    client.send("GET / HTTP/1.0\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
    assert_eq!(client.response().text(), "none", "HTTP/1.0 cannot upgrade");
}

#[test]
fn the_target_may_refuse_the_handshake() {
    let target = strict_server();
    let balancer = Balancer::start(Config::to(&target));
    let mut client = Client::connect(balancer.web());
    client.send(websocket_request("/").replace("Version: 13", "Version: 8"));
    assert_eq!(client.response().status(), 400);
    assert!(client.get("/").status() == 400, "the client's connection is kept");
}

#[test]
fn a_101_without_an_upgrade_request_is_502() {
    let target = Target::once(crate::switching("x") + "tunnel bytes");
    let balancer = Balancer::start(Config::to(&target));
    let response = Client::connect(balancer.web()).get("/");
    assert_eq!((response.status(), response.reason().as_str()), (502, "target_upgrade_unasked"));
    assert!(!response.text().contains("tunnel bytes"));
}
