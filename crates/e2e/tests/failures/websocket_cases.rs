//! Failed upgrades, and failures that end tunnels.

use model::Failure;
use testkit::{Client, Target, websocket_request};

use crate::case::Case;

pub(crate) const SWITCHING: &str = "HTTP/1.1 101 S\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n";

pub(crate) fn case(failure: Failure) -> Option<Case> {
    Some(match failure {
        Failure::WebSocketDisabled => asks("enabled = false"),
        Failure::WebSocketOrigin => asks("allowed_origins = [\"https://other.example\"]"),
        Failure::WebSocketSubprotocol => asks("allowed_subprotocols = [\"mqtt\"]"),
        Failure::WebSocketHttp2 => asks("enabled = true").with(|config| config.group("protocol = \"h2c\"")),
        Failure::WebSocketFull => full(),
        Failure::TunnelIdle => tunnel("idle_timeout = \"1s\"", |_| {}),
        Failure::TunnelBroken => tunnel("idle_timeout = \"1h\"", |client| client.send("bye")),
        Failure::TunnelLifetime => tunnel("max_lifetime = \"1s\"", |_| {}),
        Failure::TunnelDrained => drained(),
        _ => return None,
    })
}

/// The client requests a WebSocket under a rule with these settings.
fn asks(settings: &str) -> Case {
    let case = Case::sends(websocket_request("/"));
    case.with(|config| config.rule(&rule(settings)))
}

fn full() -> Case {
    let case = Case::new(breaks_after_three(), |balancer, mut first| {
        switch(&mut first);
        let mut second = Client::connect(balancer.web());
        second.send(websocket_request("/"));
        let response = second.response();
        drop(first);
        Some(response)
    });
    case.with(|config| config.rule(&rule("max_connections = 1")))
}

/// A reload moves the listener to another address.
fn drained() -> Case {
    let case = Case::new(breaks_after_three(), |balancer, mut client| {
        switch(&mut client);
        let config = std::fs::read_to_string(balancer.path("evenkeel.toml")).unwrap();
        balancer.reload(config.replace("127.0.0.1:0", "127.0.0.2:0")).unwrap();
        assert_eq!(client.frame().first, 0x88);
        None
    });
    case.with(|config| config.rule(&rule("drain_close_code = 1001")))
}

fn tunnel(settings: &str, act: impl FnOnce(&mut Client) + Send + 'static) -> Case {
    let case = Case::new(breaks_after_three(), |_, mut client| {
        switch(&mut client);
        act(&mut client);
        assert!(client.is_closed());
        None
    });
    case.with(|config| config.rule(&rule(settings)))
}

fn switch(client: &mut Client) {
    client.send(websocket_request("/"));
    assert_eq!(client.response().status(), 101);
}

fn rule(settings: &str) -> String {
    format!("host = \"*.example\"\nforward = \"app\"\nwebsocket = {{ {settings} }}")
}

/// Switches, then resets after three bytes.
fn breaks_after_three() -> Target {
    Target::script(|mut connection| {
        connection.head()?;
        connection.send(SWITCHING)?;
        connection.read_exactly(3)?;
        connection.reset()
    })
}
