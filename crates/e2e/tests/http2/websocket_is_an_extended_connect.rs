//! RFC 8441: a WebSocket on a stream, to a target that supports HTTP/1.1 only.

use bytes::Bytes;
use h2::ext::Protocol;
use http::Request;
use testkit::{Balancer, Config, Target, websocket_accept};

use crate::{read, with};

fn extended(protocol: &'static str) -> Request<()> {
    let mut request = Request::builder()
        .method("CONNECT")
        .uri("http://shop.example/chat")
        .header("sec-websocket-version", "13")
        .body(())
        .unwrap();
    request.extensions_mut().insert(Protocol::from_static(protocol));
    request
}

#[test]
fn bytes_go_both_ways() {
    let target = Target::script(|mut connection| {
        let request = connection.request()?;
        let accept = websocket_accept(request.field("sec-websocket-key").unwrap());
        connection.send(format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {accept}\r\n\r\n"
        ))?;
        connection.echo()?;
        // Reached only after the client's end of stream: else the target times out with an error.
        connection.send("bye")
    });
    let balancer = Balancer::start(Config::to(&target));
    with(balancer.web(), async |mut connection| {
        // The client knows what the server allows after its SETTINGS.
        while !connection.requests.is_extended_connect_protocol_enabled() {
            tokio::task::yield_now().await;
        }
        let (response, mut sender) = connection.send(extended("websocket"), false).await;
        let mut response = response.await.unwrap();
        assert_eq!(response.status(), 200);
        assert!(response.headers().get("sec-websocket-accept").is_none());
        for text in ["hello", "world"] {
            sender.send_data(Bytes::from(text), false).unwrap();
            assert_eq!(response.body_mut().data().await.unwrap().unwrap(), text);
        }
        sender.send_data(Bytes::new(), true).unwrap();
        let (_, rest) = read(response).await;
        assert_eq!(rest, "bye");
        let (response, _) = connection.send(extended("connect-udp"), false).await;
        assert_eq!(response.await.unwrap().status(), 501);
    });
    let request = target.request();
    assert_eq!((request.start.as_str(), request.field("upgrade")), ("GET /chat HTTP/1.1", Some("websocket")));
}
