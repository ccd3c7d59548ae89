//! A response to HEAD has the fields that GET would have had: the coding and the weak validator, but no length,
//! which is not known (HTTP5, RFC 9110 §9.3.2).

use testkit::{Balancer, Client, Target};

use crate::{compressing, page};

#[test]
fn head_has_the_fields_of_get() {
    let target = Target::http(|_| {
        let fields = "Content-Type: text/html\r\nETag: \"x\"\r\nAccept-Ranges: bytes\r\n";
        format!("HTTP/1.1 200 OK\r\n{fields}Content-Length: {}\r\n\r\n", page().len()).into_bytes()
    });
    let balancer = Balancer::start(compressing(&target));
    let mut client = Client::connect(balancer.web());
    let mut head = |accepts: &str| {
        client.send(format!("HEAD / HTTP/1.1\r\nHost: a\r\n{accepts}\r\n"));
        client.response()
    };
    let compressed = head("Accept-Encoding: gzip\r\n");
    for (name, expected) in [
        ("content-encoding", Some("gzip")),
        ("etag", Some("W/\"x\"")),
        ("vary", Some("Accept-Encoding")),
        ("content-length", None),
        ("transfer-encoding", None),
        ("accept-ranges", None),
    ] {
        assert_eq!(compressed.field(name), expected, "{name}");
    }
    let length = page().len().to_string();
    let plain = head("");
    for (name, expected) in [
        ("content-encoding", None),
        ("etag", Some("\"x\"")),
        ("vary", Some("Accept-Encoding")),
        ("content-length", Some(length.as_str())),
    ] {
        assert_eq!(plain.field(name), expected, "{name}");
    }
}
