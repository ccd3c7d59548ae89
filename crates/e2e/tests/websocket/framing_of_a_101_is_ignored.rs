//! Some servers send `Transfer-Encoding` or `Content-Length` in their 101. It ends with its head all the same (RFC 9112 §6.3):
//! the fields are taken off, and the tunnel goes on.

use testkit::{Balancer, Client, Config, Target, websocket_request};

#[test]
fn framing_of_a_101_is_ignored() {
    for framing in ["Transfer-Encoding: chunked", "Content-Length: 5"] {
        let target = Target::script(move |mut connection| {
            let request = connection.request()?;
            let accept = crate::accept_of(&request).unwrap();
            let head = crate::switching(&accept);
            connection.send(head.replacen("\r\n", &format!("\r\n{framing}\r\n"), 1))?;
            let sent = connection.read_exactly(4)?;
            connection.send(sent)?;
            connection.stall()
        });
        let balancer = Balancer::start(Config::to(&target));
        let mut client = Client::connect(balancer.web());
        client.send(websocket_request("/"));
        let head = client.head().unwrap();
        assert_eq!(head.status(), 101, "{framing}");
        assert_eq!((head.field("transfer-encoding"), head.field("content-length")), (None, None));
        client.send("ping");
        assert_eq!(client.read_exactly(4), b"ping", "{framing}");
    }
}

/// The same mistake in a 204: the client keeps its connection, and the target's is not used again.
#[test]
fn framing_of_a_204_is_ignored() {
    for framing in ["Transfer-Encoding: chunked\r\n", "Content-Length: 5\r\n"] {
        let target = Target::http(move |_| format!("HTTP/1.1 204 No Content\r\n{framing}\r\n").into_bytes());
        let balancer = Balancer::start(Config::to(&target));
        let mut client = Client::connect(balancer.web());
        for attempt in 1..=2 {
            let answer = client.get("/");
            assert_eq!((answer.status(), answer.field("transfer-encoding")), (204, None), "{framing}");
            assert_eq!((answer.field("content-length"), target.connections()), (None, attempt));
        }
    }
}
