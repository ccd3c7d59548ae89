//! In a tunnel the limits and timeouts of HTTP do not apply, and WebSocket extensions are negotiated by the two
//! sides (WS4).

use std::time::Duration;

use testkit::{Balancer, Client, Config, Frame, Target, websocket_accept, websocket_request};

const DEFLATE: &str = "permessage-deflate; client_max_window_bits, x-webkit-deflate-frame";
const AGREED: &str = "permessage-deflate; server_no_context_takeover";

#[test]
fn http_limits_do_not_apply_in_a_tunnel() {
    let target = Target::script(|mut connection| {
        let request = connection.request()?;
        assert_eq!(request.field("sec-websocket-extensions"), Some(DEFLATE));
        let accept = websocket_accept(request.field("sec-websocket-key").unwrap());
        let extensions = format!("Sec-WebSocket-Extensions: {AGREED}\r\n\r\n");
        connection.send(crate::switching(&accept).replacen("\r\n\r\n", &format!("\r\n{extensions}"), 1))?;
        connection.echo()
    });
    let mut config = Config::to(&target)
        .listener("keepalive_requests = 1")
        .listener("keepalive_timeout = \"1s\"")
        .listener("header_timeout = \"1s\"")
        .listener("body_timeout = \"1s\"")
        .listener("send_timeout = \"1s\"")
        .listener("limits = { body = \"4B\" }")
        .group("timeouts = { response = \"1s\", idle = \"1s\" }");
    for websocket in ["{}", "{ drain_close_code = 1001 }"] {
        config = config
            .rule(&format!("path = \"/{}\"\nforward = \"app\"\nwebsocket = {websocket}", websocket.len()));
    }
    let balancer = Balancer::start(config);
    for path in ["/2", "/27"] {
        let mut client = Client::connect(balancer.web());
        let extensions = format!("Sec-WebSocket-Extensions: {DEFLATE}\r\n\r\n");
        client.send(websocket_request(path).replacen("\r\n\r\n", &format!("\r\n{extensions}"), 1));
        let response = client.response();
        assert_eq!((response.status(), response.field("sec-websocket-extensions")), (101, Some(AGREED)));
        assert!(!client.closes_within(Duration::from_millis(1_500)), "{path}: no HTTP timeout applies");
        // A frame with an extension bit.
        let compressed = Frame::from_client(0xC2, vec![0x5A; 100_000]).bytes();
        client.send(&compressed);
        assert!(client.read_exactly(compressed.len()) == compressed, "{path}");
        client.half_close();
        assert!(client.is_closed());
    }
}
