//! A request that the target reports as not processed is retried, whatever its method (RFC 9113 §8.7).

use std::sync::atomic::{AtomicUsize, Ordering};

use testkit::{Balancer, Client, Http2Client, Http2Frame, Http2Target, RawHttp2, exchange, h2, hpack};

use crate::h2c;

/// Refuses the first `count` streams.
fn refusing(count: usize) -> Http2Target {
    let seen = AtomicUsize::new(0);
    Http2Target::script(move |mut exchange| {
        if seen.fetch_add(1, Ordering::SeqCst) < count {
            exchange.reset(h2::Reason::REFUSED_STREAM);
            return Ok(());
        }
        let request = exchange.finish()?;
        exchange.respond(200, &[])?;
        exchange.send(&request.body)?;
        exchange.end()
    })
}

#[test]
fn refused_streams_are_retried() {
    let target = refusing(1);
    let balancer = Balancer::start(h2c(&[&target]));
    // The body arrives with the head, and is kept until the target has taken it.
    let post = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody";
    let answer = exchange(balancer.web(), post);
    assert_eq!((answer.status(), answer.text()), (200, "body".to_owned()));
    assert_eq!(target.requests().len(), 2);
}

/// A unary gRPC call sends its message right after the head.
#[test]
fn a_small_body_of_a_stream_is_kept() {
    let target = refusing(1);
    let balancer = Balancer::start(h2c(&[&target]));
    let mut raw = RawHttp2::start(Client::connect(balancer.web()));
    let head = hpack::request("POST", "/", &[]);
    let head = Http2Frame::new(Http2Frame::HEADERS, Http2Frame::END_HEADERS, 1, head);
    let data = Http2Frame::new(Http2Frame::DATA, Http2Frame::END_STREAM, 1, b"body".to_vec());
    raw.try_send_bytes(&[head.bytes(), data.bytes()].concat()).unwrap();
    assert_eq!(raw.status(1), 200);
    assert_eq!(target.requests().len(), 2);
}

#[test]
fn another_target_gets_the_retry() {
    let (one, two) = (refusing(usize::MAX), refusing(0));
    let balancer = Balancer::start(h2c(&[&one, &two]));
    let mut client = Http2Client::connect(balancer.web());
    for _ in 0..10 {
        assert_eq!(client.exchange("POST", "/", &[("content-length", "0")], b"").status(), 200);
    }
    assert_eq!(two.requests().len(), 10);
}

#[test]
fn retries_are_limited() {
    let target = refusing(usize::MAX);
    let balancer = Balancer::start(h2c(&[&target]));
    let answer = testkit::get(balancer.web(), "/");
    assert_eq!((answer.status(), answer.reason().as_str()), (502, "target_closed_before_response"));
    assert!(target.requests().len() <= 8, "{}", target.requests().len());
}
