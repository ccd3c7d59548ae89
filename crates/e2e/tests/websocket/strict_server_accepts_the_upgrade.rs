//! A strict RFC 6455 server works behind the balancer with the defaults, and bytes pass both ways unchanged
//! (WS1, WS2).

use testkit::{Balancer, Client, Config, websocket_request};

use crate::strict_server;

#[test]
fn strict_server_accepts_the_upgrade() {
    let target = strict_server();
    let balancer = Balancer::start(Config::to(&target));
    let mut client = Client::connect(balancer.web());
    // The first frame follows directly after the opening handshake.
    client.send(websocket_request("/chat") + "first");
    let response = client.response();
    assert_eq!((response.status(), response.field("upgrade")), (101, Some("websocket")));
    assert_eq!(response.field("sec-websocket-accept"), Some("K7DJLdLooIwIG/MOpvWFB3y3FE8="));
    assert_eq!(response.field("sec-websocket-protocol"), Some("chat"));
    assert!(response.field("connection").unwrap().eq_ignore_ascii_case("upgrade"));
    assert_eq!(client.read_exactly(5), b"first");
    let frames: Vec<u8> = (0..=255).cycle().take(300_000).collect();
    client.send(&frames);
    assert!(client.read_exactly(frames.len()) == frames);
    assert_eq!(balancer.metric("evenkeel_listener_tunnels_open", &[]), 1.0);
    client.half_close();
    assert!(client.is_closed());
    let line = balancer.log_line("tunnel", true);
    assert_eq!((line["status"].as_u64(), line["response_body_bytes"].as_u64()), (Some(101), Some(300_005)));
    assert_eq!(line["reason"], serde_json::Value::Null);
}
