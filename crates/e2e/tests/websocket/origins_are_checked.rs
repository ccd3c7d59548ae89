//! Only pages of `allowed_origins` may open a WebSocket (WS3), which prevents cross-site hijacking with the
//! user's cookies.

use testkit::{Balancer, Client, Config, websocket_request};

use crate::strict_server;

const RULE: &str = "host = \"*.example\"\nforward = \"app\"\n\
    websocket = { allowed_origins = [\"https://chat.example\", \"https://*.Shop.example:8443\", \"null\"] }";

#[test]
fn origins_are_checked() {
    let target = strict_server();
    let balancer = Balancer::start(Config::to(&target).rule(RULE));
    let origin = |line: &str| {
        let mut client = Client::connect(balancer.web());
        client.send(websocket_request("/").replace("Origin: https://chat.example\r\n", line));
        let response = client.response();
        (response.status(), response.reason())
    };
    for allowed in ["https://chat.example", "HTTPS://CHAT.example:443"] {
        // The target decides about another spelling.
        let status = origin(&format!("Origin: {allowed}\r\n")).0;
        assert!(matches!(status, 101 | 400), "{allowed}: {status}");
    }
    for allowed in ["https://a.shop.example:8443", "https://a.b.shop.example:8443", "null"] {
        assert_eq!(origin(&format!("Origin: {allowed}\r\n")).0, 400, "{allowed} reaches the target");
    }
    let seen = target.requests().len();
    for foreign in [
        "Origin: https://evil.example\r\n",
        "Origin: http://chat.example\r\n",
        "Origin: https://chat.example:444\r\n",
        "Origin: https://chat.example.evil.example\r\n",
        "Origin: https://evilshop.example:8443\r\n",
        "Origin: https://shop.example:8443\r\n",
        "Origin: https://chat.example/\r\n",
        "Origin: https://evil.example https://chat.example\r\n",
        "Origin: https://chat.example\r\nOrigin: https://evil.example\r\n",
        "Origin: https://chat.example\r\nOrigin: https://chat.example\r\n",
        "Origin:\r\n",
        "Origin: *\r\n",
        "Sec-WebSocket-Origin: https://chat.example\r\n",
        "",
    ] {
        assert_eq!(origin(foreign), (403, "websocket_origin".to_owned()), "{foreign:?}");
    }
    assert_eq!(target.requests().len(), seen);
    assert_eq!(balancer.log_line("detail", "no Origin")["reason"], "websocket_origin");
}

#[test]
fn null_is_an_origin_only_if_it_is_listed() {
    let target = strict_server();
    let balancer = Balancer::start(Config::to(&target).rule(&RULE.replace(", \"null\"", "")));
    let mut client = Client::connect(balancer.web());
    client.send(websocket_request("/").replace("https://chat.example", "null"));
    assert_eq!(client.response().reason(), "websocket_origin");
    client.send("GET / HTTP/1.1\r\nHost: chat.example\r\n\r\n");
    assert_eq!(client.response().status(), 400, "other requests need no Origin and reach the target");
}
