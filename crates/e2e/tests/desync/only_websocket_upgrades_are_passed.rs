//! Only upgrades to WebSocket are passed on: with any other protocol, requests would bypass all rules (WS1).

use testkit::{Balancer, Client, Config, Target, get, ok, websocket_request};

#[test]
fn other_upgrades_do_not_reach_the_target() {
    let target = Target::http(|request| ok(&format!("{:?}", request.fields)));
    let balancer = Balancer::start(Config::to(&target));
    for upgrade in ["h2c", "TLS/1.0", "websocket, h2c", "h2c, websocket", "websockets", ""] {
        let mut client = Client::connect(balancer.web());
        client.send(format!(
            "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: {upgrade}\r\n\
             HTTP2-Settings: x\r\n\r\n"
        ));
        assert_eq!(client.response().status(), 200, "{upgrade:?}");
        assert_eq!(client.get("/").status(), 200, "the connection is kept");
    }
    for request in target.requests() {
        let told = ["upgrade", "http2-settings", "connection"].map(|name| request.field(name));
        assert_eq!(told.iter().flatten().find(|value| **value != "keep-alive"), None, "{request:?}");
    }
}

#[test]
fn another_protocol_than_asked_is_502() {
    for upgrade in ["h2c", "websocket, h2c", "websocket\r\nUpgrade: h2c"] {
        let switching =
            format!("HTTP/1.1 101 S\r\nConnection: Upgrade\r\nUpgrade: {upgrade}\r\n\r\ntunnel bytes");
        let target = Target::once(switching);
        let balancer = Balancer::start(Config::to(&target));
        let mut client = Client::connect(balancer.web());
        client.send(websocket_request("/"));
        let response = client.response();
        let told = (response.status(), response.reason());
        assert_eq!(told, (502, "target_upgrade_unasked".to_owned()), "{upgrade:?}");
        assert!(!response.text().contains("tunnel bytes"));
        assert_eq!(get(balancer.web(), "/").reason(), "target_upgrade_unasked");
    }
}
