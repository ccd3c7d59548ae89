//! Only `allowed_subprotocols` are permitted: the client must offer one, and the target must choose one of
//! those offered (WS3).

use testkit::{Balancer, Client, Config, Message, Target, websocket_request};

/// Switches, and chooses the subprotocol in the request's `X-Choose`; `|` begins another field.
fn choosing_server() -> Target {
    Target::http(|request| {
        let chosen = request.field("x-choose").unwrap_or_default();
        let chosen = chosen.split('|').filter(|name| !name.is_empty());
        let lines: String = chosen.map(|name| format!("Sec-WebSocket-Protocol: {name}\r\n")).collect();
        format!("HTTP/1.1 101 S\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n{lines}\r\n").into_bytes()
    })
}

fn ask(balancer: &Balancer, offer: &str, choice: &str) -> Message {
    let mut client = Client::connect(balancer.web());
    let lines = format!("{offer}X-Choose: {choice}\r\n");
    client.send(websocket_request("/").replace("Sec-WebSocket-Protocol: chat\r\n", &lines));
    client.response()
}

#[test]
fn subprotocols_are_checked() {
    let target = choosing_server();
    let rule = "host = \"*.example\"\nforward = \"app\"\nwebsocket = { allowed_subprotocols = [\"chat\", \"mqtt\"] }";
    let balancer = Balancer::start(Config::to(&target).rule(rule));
    for (offer, choice) in [
        ("Sec-WebSocket-Protocol: chat\r\n", "chat"),
        ("Sec-WebSocket-Protocol: other, mqtt\r\n", "mqtt"),
        ("Sec-WebSocket-Protocol: other\r\nSec-WebSocket-Protocol: chat\r\n", "chat"),
        ("Sec-WebSocket-Protocol: chat\r\n", ""),
    ] {
        let response = ask(&balancer, offer, choice);
        assert_eq!(response.status(), 101, "{offer:?} {choice:?}");
        let chosen = Some(choice).filter(|choice| !choice.is_empty());
        assert_eq!(response.field("sec-websocket-protocol"), chosen);
    }
    let seen = target.requests();
    assert_eq!(seen[1].field("sec-websocket-protocol"), Some("other, mqtt"), "the offer is unchanged");
    for offer in ["", "Sec-WebSocket-Protocol: other\r\n", "Sec-WebSocket-Protocol: Chat, chatter\r\n"] {
        let response = ask(&balancer, offer, "chat");
        assert_eq!(
            (response.status(), response.reason().as_str()),
            (403, "websocket_subprotocol"),
            "{offer:?}"
        );
    }
    assert_eq!(target.requests().len(), seen.len());
    for choice in ["other", "mqtt", "Chat", "chat, mqtt", "chat|mqtt"] {
        let response = ask(&balancer, "Sec-WebSocket-Protocol: chat, other\r\n", choice);
        let told = (response.status(), response.reason());
        assert_eq!(told, (502, "target_upgrade_unasked".to_owned()), "{choice:?}");
    }
}

/// `Connection` cannot remove fields by which the rule and the target check the handshake.
#[test]
fn connection_hides_no_part_of_the_handshake() {
    let target = choosing_server();
    let balancer = Balancer::start(Config::to(&target));
    let mut client = Client::connect(balancer.web());
    let names = "Connection: Upgrade, Origin, Sec-WebSocket-Protocol, sec-websocket-key, X-Choose";
    client.send(websocket_request("/").replace("Connection: Upgrade", names));
    assert_eq!(client.response().status(), 101);
    let request = target.request();
    assert_eq!(request.field("origin"), Some("https://chat.example"));
    assert_eq!(request.field("sec-websocket-protocol"), Some("chat"));
    assert!(request.field("sec-websocket-key").is_some());
}

#[test]
fn without_allowed_subprotocols_they_are_not_checked() {
    let target = choosing_server();
    let balancer = Balancer::start(Config::to(&target));
    assert_eq!(ask(&balancer, "", "surprise").status(), 101);
}
