//! A target answers and closes while the client still uploads. The client can read the response although it
//! keeps sending (KA7).

use testkit::{Balancer, Client, Config, Target, response};

#[test]
fn early_response_is_read() {
    let target = Target::script(|mut connection| {
        connection.head()?;
        connection.send(response(413, "Connection: close\r\n", "too much"))
    });
    let balancer = Balancer::start(Config::to(&target));
    for _ in 0..10 {
        let mut client = Client::connect(balancer.web());
        client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10000000\r\n\r\n");
        for _ in 0..8 {
            client.send(vec![b'x'; 64 * 1024]);
        }
        let response = client.response();
        assert_eq!((response.status(), response.text().as_str()), (413, "too much"));
        assert_eq!(response.field("connection"), Some("close"));
        assert!(client.is_closed());
    }
}

#[test]
fn our_own_early_reply_is_read() {
    let target = Target::named("never");
    let balancer = Balancer::start(Config::to(&target).listener("limits = { body = \"1MiB\" }"));
    for framing in ["Content-Length: 10000000", "Transfer-Encoding: chunked"] {
        let mut client = Client::connect(balancer.web());
        client.send(format!("POST / HTTP/1.1\r\nHost: a\r\n{framing}\r\n\r\n"));
        if framing.starts_with('T') {
            client.send("800000\r\n");
        }
        for _ in 0..20 {
            // The lingering close may end between two writes.
            let _ = client.try_send(vec![b'x'; 64 * 1024]);
        }
        let response = client.response();
        assert_eq!(
            (response.status(), response.reason().as_str()),
            (413, "request_body_too_large"),
            "{framing}"
        );
        assert!(client.is_closed());
    }
}
