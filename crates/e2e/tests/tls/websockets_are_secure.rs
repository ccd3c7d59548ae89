//! A WebSocket with TLS on both sides (`wss`): bytes are passed both ways, and an end of one side reaches the
//! other (WS1, TLS5).

use testkit::{Authority, Client, Target, websocket_accept, websocket_request};

use crate::{https_both, server, start_with};

/// Switches, and echoes until the client's end of stream; then sends a last message.
fn echo(root: &Authority) -> Target {
    Target::tls(&server(root), |mut connection| {
        let request = connection.request()?;
        let accept = websocket_accept(request.field("sec-websocket-key").unwrap());
        connection.send(format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {accept}\r\nSec-WebSocket-Protocol: chat\r\n\r\n"
        ))?;
        connection.echo()?;
        connection.send("bye")
    })
}

fn open(client: &mut Client, first: &str) {
    client.send(websocket_request("/chat") + first);
    assert_eq!(client.response().status(), 101);
    assert_eq!(client.read_exactly(first.len()), first.as_bytes());
}

#[test]
fn bytes_go_both_ways() {
    let root = Authority::new("Root");
    let target = echo(&root);
    let balancer = start_with(&root, https_both(&target));
    for client in [balancer.tls_client("web").tls12(), balancer.tls_client("web").tls13()] {
        let mut client = client.connect();
        // The first frame follows directly after the opening handshake.
        open(&mut client, "first");
        let frames: Vec<u8> = (0..=255).cycle().take(100_000).collect();
        for _ in 0..3 {
            client.send(&frames);
            assert!(client.read_exactly(frames.len()) == frames);
        }
        client.half_close();
        assert_eq!(client.read_exactly(3), b"bye");
        assert!(client.is_closed());
    }
    let line = balancer.log_line("tunnel", true);
    assert_eq!((line["status"].as_u64(), line["response_body_bytes"].as_u64()), (Some(101), Some(300_008)));
    assert_eq!(target.requests()[0].field("x-forwarded-proto"), Some("https"));
}

#[test]
fn a_lost_client_reaches_the_target() {
    let root = Authority::new("Root");
    let target = echo(&root);
    let balancer = start_with(&root, https_both(&target));
    let mut client = balancer.tls_client("web").connect();
    open(&mut client, "first");
    client.reset();
    testkit::wait_until("the target's connection ends", || target.open() == 0);
    testkit::wait_until("the tunnel ends", || balancer.metric("evenkeel_listener_tunnels_open", &[]) == 0.0);
}
