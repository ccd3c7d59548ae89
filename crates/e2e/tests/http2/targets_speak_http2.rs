//! With `protocol = "h2c"` requests are sent to targets as streams, for clients of either version.

use testkit::{Balancer, Client, Http2Client, Http2Target, exchange, get, ok, refused_address, response};

use crate::h2c;

#[test]
fn clients_of_both_versions_are_served() {
    let target = Http2Target::http(|request| response(201, "X-Seen: yes\r\n", &request.text()));
    let balancer = Balancer::start(h2c(&[&target]));
    let answer = get(balancer.web(), "/one?two");
    assert_eq!((answer.status(), answer.field("x-seen"), answer.text()), (201, Some("yes"), String::new()));
    for body in ["Content-Length: 4\r\n\r\nbody", "Transfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n"]
    {
        let answer = exchange(balancer.web(), format!("POST / HTTP/1.1\r\nHost: shop.example\r\n{body}"));
        assert_eq!((answer.status(), answer.text()), (201, "body".to_owned()), "{body}");
    }
    let mut client = Http2Client::connect(balancer.web());
    let answer = client.exchange("PUT", "/two", &[("content-length", "4")], b"body");
    assert_eq!((answer.status(), answer.text()), (201, "body".to_owned()));
    assert_eq!(client.exchange("PUT", "/three", &[], b"body").text(), "body");
    assert_eq!(target.connections(), 1);
    let requests = target.requests();
    let first = &requests[0];
    assert_eq!(first.start, "GET /one?two HTTP/2");
    assert_eq!((first.field(":scheme"), first.field("host")), (Some("http"), None));
    assert!(first.field("x-forwarded-for").is_some() && first.field("x-request-id").is_some());
    assert_eq!(requests[1].field("content-length"), Some("4"));
    assert_eq!(requests[2].field("transfer-encoding"), None);
    assert_eq!(requests[3].field(":authority"), Some("shop.example"));
    let reused = balancer.metric("evenkeel_target_connections_reused_total", &[]);
    let opened = balancer.metric("evenkeel_target_connections_opened_total", &[]);
    assert_eq!((opened, reused), (1.0, 4.0));
}

/// Responses without a body, which must not look as if they had one.
#[test]
fn responses_without_a_body() {
    let target = Http2Target::http(|request| match request.target() {
        "/204" => b"HTTP/1.1 204 \r\n\r\n".to_vec(),
        "/304" => b"HTTP/1.1 304 \r\nETag: \"a\"\r\n\r\n".to_vec(),
        "/empty" => ok(""),
        _ => b"HTTP/1.1 200 \r\nContent-Length: 7\r\n\r\n".to_vec(),
    });
    let balancer = Balancer::start(h2c(&[&target]));
    let mut client = Http2Client::connect(balancer.web());
    for path in ["/204", "/304", "/empty"] {
        let mut plain = Client::connect(balancer.web());
        assert_eq!(plain.get(path).text(), "", "{path}");
        assert_eq!(plain.get(path).text(), "", "{path}");
        assert_eq!(client.get(path).text(), "", "{path}");
    }
    let answer = exchange(balancer.web(), "HEAD / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    assert_eq!(answer.field("content-length"), Some("7"));
    let answer = client.exchange("HEAD", "/", &[], b"");
    assert_eq!((answer.field("content-length"), answer.text()), (Some("7"), String::new()));
    assert_eq!(target.connections(), 1);
}

/// The target's response begins before the request has ended, and each part is passed on at once.
#[test]
fn both_directions_stream_at_once_with_trailers() {
    let target = Http2Target::script(|mut exchange| {
        exchange.respond(200, &[("content-type", "application/grpc")])?;
        loop {
            match exchange.read()? {
                bytes if bytes.is_empty() => break,
                bytes => exchange.send(bytes)?,
            }
        }
        let request = exchange.finish()?;
        assert_eq!(request.trailers, ["x-client: done"]);
        exchange.end_with_trailers(&[("grpc-status", "0"), ("grpc-message", "fine")])
    });
    let balancer = Balancer::start(h2c(&[&target]));
    let mut client = Http2Client::connect(balancer.web());
    let mut call =
        client.request("POST", "/a.B/C", &[("te", "trailers"), ("content-type", "application/grpc")]);
    let mut message = call.head().unwrap();
    for part in ["one", "two", "three"] {
        call.send(part).unwrap();
        assert_eq!(call.read_exactly(part.len()), part.as_bytes());
    }
    call.end_with_trailers(&[("x-client", "done")]).unwrap();
    call.finish(&mut message).unwrap();
    assert_eq!(message.trailers, ["grpc-status: 0", "grpc-message: fine"]);
    assert_eq!(target.request().field("te"), Some("trailers"));
}

/// More than all windows and buffers hold.
#[test]
fn large_bodies_arrive_unchanged() {
    let target = Http2Target::script(|mut exchange| {
        let request = exchange.finish()?;
        exchange.respond(200, &[])?;
        exchange.send(&request.body)?;
        exchange.end()
    });
    let balancer = Balancer::start(h2c(&[&target]));
    let sent: Vec<u8> = (0..3_000_000_u32).map(|place| b'a' + (place % 23) as u8).collect();
    let head = format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", sent.len());
    assert!(exchange(balancer.web(), [head.as_bytes(), &sent].concat()).body == sent);
    assert!(Http2Client::connect(balancer.web()).exchange("POST", "/", &[], &sent).body == sent);
}

/// A "Trailers-Only" response of a target is a single header block for the client too.
#[test]
fn a_trailers_only_response_is_passed_on() {
    let target =
        Http2Target::http(|_| response(200, "content-type: application/grpc\r\ngrpc-status: 5\r\n", ""));
    let balancer = Balancer::start(h2c(&[&target]));
    let mut client = Http2Client::connect(balancer.web());
    let answer = client.exchange("POST", "/a.B/C", &[("content-type", "application/grpc")], b"\0\0\0\0\0");
    assert_eq!((answer.status(), answer.field("grpc-status")), (200, Some("5")));
}

#[test]
fn a_refused_connect_is_a_grpc_error_or_goes_to_the_next_target() {
    let address = refused_address();
    let balancer = Balancer::start(testkit::Config::to_addresses(&[address]).group("protocol = \"h2c\""));
    let answer = get(balancer.web(), "/");
    assert_eq!((answer.status(), answer.reason().as_str()), (502, "target_refused"));
    let mut client = Http2Client::connect(balancer.web());
    let answer = client.exchange("POST", "/a.B/C", &[("content-type", "application/grpc")], b"\0\0\0\0\0");
    assert_eq!((answer.status(), answer.field("grpc-status")), (200, Some("14")));
    // The next target gets the request.
    let target = Http2Target::named("two");
    let balancer = Balancer::start(
        testkit::Config::to_addresses(&[address, target.address()]).group("protocol = \"h2c\""),
    );
    for _ in 0..4 {
        assert_eq!(get(balancer.web(), "/").text(), "two");
    }
}

/// A target that supports HTTP/1.1 only.
#[test]
fn a_target_without_http2_is_an_error() {
    let target = testkit::Target::named("one");
    let balancer = Balancer::start(testkit::Config::to(&target).group("protocol = \"h2c\""));
    let answer = get(balancer.web(), "/");
    assert_eq!((answer.status(), answer.reason().as_str()), (502, "target_refused"));
}

#[test]
fn websockets_are_refused() {
    let target = Http2Target::named("one");
    let balancer = Balancer::start(h2c(&[&target]));
    let mut client = Client::connect(balancer.web());
    client.send(testkit::websocket_request("/"));
    let answer = client.response();
    assert_eq!((answer.status(), answer.reason().as_str()), (501, "websocket_http2"));
    assert!(target.requests().is_empty());
}
