//! Upgrades and their tunnels (WS).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod busy_tunnels_are_drained;
mod connections_are_limited;
mod cut_tunnel_is_logged;
mod disabled_websocket_is_refused;
mod drain_closes_between_frames;
mod framing_of_a_101_is_ignored;
mod half_close_is_passed_on;
mod http_limits_do_not_apply_in_a_tunnel;
mod idle_tunnel_is_closed;
mod lost_side_closes_the_other;
mod max_lifetime_ends_a_tunnel;
mod origins_are_checked;
mod refused_upgrade_is_an_ordinary_response;
mod silent_client_is_pinged;
mod strict_server_accepts_the_upgrade;
mod subprotocols_are_checked;
mod tunnel_survives_reload;

use testkit::{Client, Frame, Message, Target, websocket_accept, websocket_request};

/// A server as strict as RFC 6455 §4.2: it refuses everything except an exact handshake, and echoes bytes after
/// it.
fn strict_server() -> Target {
    Target::script(|mut connection| {
        let request = connection.request()?;
        match accept_of(&request) {
            Some(accept) => connection.send(switching(&accept))?,
            None => return connection.send(testkit::response(400, "Connection: close\r\n", "no handshake")),
        }
        connection.echo()
    })
}

/// A server for frames: it echoes messages, ignores Pongs and answers a Close.
fn frame_server() -> Target {
    Target::script(|mut connection| {
        let request = connection.request()?;
        connection.send(switching(&websocket_accept(request.field("sec-websocket-key").unwrap())))?;
        loop {
            let Frame { first, is_masked, payload } = connection.frame()?;
            assert!(is_masked, "a client masks");
            if first != 0x8A {
                connection.send(Frame::from_server(first, payload).bytes())?;
            }
            if first == 0x88 {
                return Ok(());
            }
        }
    })
}

fn accept_of(request: &Message) -> Option<String> {
    let is = |name, value: &str| request.field(name).is_some_and(|field| field.eq_ignore_ascii_case(value));
    let is_handshake = request.start.ends_with(" HTTP/1.1")
        && is("host", "chat.example:8443")
        && is("origin", "https://chat.example")
        && is("upgrade", "websocket")
        && is("connection", "upgrade")
        && is("sec-websocket-version", "13")
        && is("sec-websocket-protocol", "chat");
    is_handshake.then(|| websocket_accept(request.field("sec-websocket-key").unwrap_or_default()))
}

fn switching(accept: &str) -> String {
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\nSec-WebSocket-Protocol: chat\r\n\r\n"
    )
}

/// A client with an open tunnel.
fn connect(address: std::net::SocketAddr) -> Client {
    let mut client = Client::connect(address);
    client.send(websocket_request("/chat"));
    let response = client.response();
    assert_eq!(response.status(), 101, "{}", response.text());
    client
}
