//! Under a rule with `enabled = false`, an upgrade is refused and reaches no target; the connection is kept
//! (WS3).

use testkit::{Balancer, Client, Config, Target, websocket_request};

#[test]
fn disabled_websocket_is_refused() {
    let target = Target::named("served");
    let rule = "path = \"/plain\"\nforward = \"app\"\nwebsocket = { enabled = false }";
    let balancer = Balancer::start(Config::to(&target).rule(rule));
    let mut client = Client::connect(balancer.web());
    client.send(websocket_request("/plain"));
    let response = client.response();
    assert_eq!((response.status(), response.reason().as_str()), (403, "websocket_disabled"));
    assert!(target.requests().is_empty());
    assert_eq!(client.get("/plain").text(), "served", "the connection is kept");
    client.send("GET /plain HTTP/1.0\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
    assert_eq!(client.response().text(), "served", "HTTP/1.0 does not ask for it");
    client = Client::connect(balancer.web());
    client.send(websocket_request("/other"));
    assert_eq!(client.response().text(), "served", "another rule passes it on");
    assert_eq!(balancer.log_line("reason", "websocket_disabled")["status"], 403);
}
