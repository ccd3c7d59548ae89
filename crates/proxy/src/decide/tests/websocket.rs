//! Which WebSockets a rule lets be opened.

use super::*;
use crate::decide::may_switch;
use crate::fixture::{Request, Response};

const HANDSHAKE: &str = "GET / HTTP/1.1\nHost: a\nConnection: Upgrade\nUpgrade: websocket";

fn rule(websocket: &str) -> Snapshot {
    let rule = format!("[[listener.web.rule]]\nforward = 'app'\nwebsocket = {{ {websocket} }}\n");
    compile(&format!("{LISTENER}{rule}"))
}

#[test]
fn a_101_may_name_one_subprotocol_that_was_offered_and_is_allowed() {
    let snapshot = rule("allowed_subprotocols = ['chat.v1', 'chat.v2']");
    let offers = "Sec-WebSocket-Protocol: chat.v1, other\nsec-websocket-protocol: chat.v3";
    let any = rule("enabled = true");
    for (chosen, expected) in [
        ("X: 1", true),
        ("Sec-WebSocket-Protocol: chat.v1", true),
        ("sec-websocket-protocol:  chat.v1 ", true),
        ("Sec-WebSocket-Protocol:", true),
        ("Sec-WebSocket-Protocol: chat.v2", false),
        ("Sec-WebSocket-Protocol: chat.v3", false),
        ("Sec-WebSocket-Protocol: other", false),
        ("Sec-WebSocket-Protocol: CHAT.V1", false),
        ("Sec-WebSocket-Protocol: chat.v1, chat.v1", false),
        ("Sec-WebSocket-Protocol: chat.v1\nSec-WebSocket-Protocol: chat.v1", false),
    ] {
        let request = Request::new(&format!("{HANDSHAKE}\n{offers}"));
        let response =
            Response::new(&format!("HTTP/1.1 101 \nConnection: Upgrade\nUpgrade: websocket\n{chosen}"));
        let ask = |snapshot: &Snapshot| {
            may_switch(&snapshot.listeners[0].rules[0].websocket, request.text(), response.text())
        };
        assert_eq!(ask(&snapshot), expected, "{chosen}");
        assert!(ask(&any), "without a list: {chosen}");
    }
}

#[test]
fn a_request_must_offer_an_allowed_subprotocol() {
    let snapshot = rule("allowed_subprotocols = ['chat.v1', 'chat.v2']");
    for (offers, expected) in [
        ("Sec-WebSocket-Protocol: chat.v1", "app=1"),
        ("Sec-WebSocket-Protocol: other, chat.v2", "app=1"),
        ("sec-websocket-protocol: other\nSEC-WEBSOCKET-PROTOCOL: chat.v2", "app=1"),
        ("Sec-WebSocket-Protocol: Chat.v1", "websocket_subprotocol"),
        ("Sec-WebSocket-Protocol: chat", "websocket_subprotocol"),
        ("Sec-WebSocket-Protocol:", "websocket_subprotocol"),
        ("Sec_WebSocket_Protocol: chat.v1", "websocket_subprotocol"),
        ("X: 1", "websocket_subprotocol"),
    ] {
        assert_eq!(short(&ask(&snapshot, &format!("{HANDSHAKE}\n{offers}"))), expected, "{offers}");
    }
}

#[test]
fn an_origin_must_be_one_of_the_allowed() {
    let snapshot = rule("allowed_origins = ['https://shop.example', 'https://*.example.org']");
    for (origin, expected) in [
        ("Origin: https://shop.example", "app=1"),
        ("origin:https://a.example.org ", "app=1"),
        ("Origin: http://shop.example", "websocket_origin (another Origin)"),
        ("Origin: https://shop.example:8443", "websocket_origin (another Origin)"),
        ("Origin: https://shop.example.evil", "websocket_origin (another Origin)"),
        ("Origin: https://example.org", "websocket_origin (another Origin)"),
        ("Origin: null", "websocket_origin (another Origin)"),
        ("Origin:", "websocket_origin (another Origin)"),
        ("Origin: https://shop.example\nOrigin: https://shop.example", "websocket_origin (several Origins)"),
        ("X: 1", "websocket_origin (no Origin)"),
    ] {
        assert_eq!(short(&ask(&snapshot, &format!("{HANDSHAKE}\n{origin}"))), expected, "{origin}");
    }
}

#[test]
fn an_upgrade_that_is_not_passed_on_is_an_ordinary_request() {
    let snapshot = rule("enabled = false");
    for (head, expected) in [
        (HANDSHAKE.to_owned(), "websocket_disabled"),
        (HANDSHAKE.replace("GET", "POST"), "app=1"),
        (HANDSHAKE.replace("1.1", "1.0"), "app=1"),
        (HANDSHAKE.replace("websocket", "h2c"), "app=1"),
        (format!("{HANDSHAKE}\nContent-Length: 1"), "app=1"),
    ] {
        assert_eq!(short(&ask(&snapshot, &head)), expected, "{head}");
    }
}
