//! A response that is not HTTP, or has no clear end, becomes a 502 with its reason. No byte of it reaches the
//! client, the client's connection is kept, and the target is used again.

use std::sync::Mutex;

use testkit::{Balancer, Client, Config, Target, ok};

const MALFORMED: &str = "target_response_malformed";
const FRAMING: &str = "target_response_framing";

const HEADS: &[(&str, &str)] = &[
    ("garbage\r\n\r\n", MALFORMED),
    ("\x16\x03\x01", MALFORMED),
    ("HTTP/1.1 200 OK\nContent-Length: 0\n\n", MALFORMED),
    ("HTTP/1.1 200 OK\r\nA: b\nC: d\r\n\r\n", MALFORMED),
    ("HTTP/1.1 200 OK\r\nA: b\r\n folded\r\n\r\n", MALFORMED),
    ("HTTP/1.1 200 OK\r\nA : b\r\n\r\n", MALFORMED),
    ("HTTP/1.1 200 OK\r\nA: b\0c\r\n\r\n", MALFORMED),
    ("HTTP/1.1 200 OK\r\nA: b\rSet-Cookie: split\r\n\r\n", MALFORMED),
    ("HTTP/1.1 20 OK\r\n\r\n", MALFORMED),
    ("HTTP/1.1 2000 OK\r\n\r\n", MALFORMED),
    ("HTTP/1.1 099 OK\r\n\r\n", MALFORMED),
    ("HTTP/2.0 200 OK\r\n\r\n", MALFORMED),
    ("HTTP/1.1 200 OK\r\nContent-", MALFORMED),
    ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef", FRAMING),
    ("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", FRAMING),
    ("HTTP/1.1 200 OK\r\nContent-Length: -3\r\n\r\nabc", FRAMING),
    ("HTTP/1.1 200 OK\r\nContent-Length: 0x3\r\n\r\nabc", FRAMING),
    ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", FRAMING),
    (
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nmore",
        "target_upgrade_unasked",
    ),
    ("", "target_closed_before_response"),
];

#[test]
fn broken_heads_are_502() {
    let left = Mutex::new(HEADS.iter());
    let target = Target::script(move |mut connection| {
        connection.request()?;
        match left.lock().unwrap().next() {
            Some((head, _)) => connection.send(head),
            None => connection.send(ok("well again")),
        }
    });
    let balancer = Balancer::start(Config::to(&target));
    let mut client = Client::connect(balancer.web());
    for (head, reason) in HEADS {
        let response = client.get("/");
        assert_eq!((response.status(), response.reason().as_str()), (502, *reason), "{head:?}");
        assert_eq!(response.field("set-cookie"), None, "{head:?}");
        assert_eq!(response.field("connection"), None, "{head:?}");
    }
    assert_eq!(client.get("/").text(), "well again");
    assert_eq!(target.requests().len(), HEADS.len() + 1, "no request was repeated");
}

#[test]
fn a_reset_is_502() {
    let target = Target::script(|mut connection| {
        connection.request()?;
        connection.reset()
    });
    let balancer = Balancer::start(Config::to(&target));
    let response = Client::connect(balancer.web()).get("/");
    assert_eq!((response.status(), response.reason().as_str()), (502, "target_closed_before_response"));
    assert_eq!(target.requests().len(), 1);
}
