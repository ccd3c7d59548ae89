//! Responses that are encoded already, partial, small, of another type, `no-transform`, or for HTTP/1.0 are not
//! compressed (HTTP5).

use testkit::{Balancer, Client, Target, exchange};

use crate::{ask, compressing, html, page};

#[test]
fn some_responses_are_not_compressed() {
    for (status, fields, varies) in [
        (200, "Content-Type: text/html\r\nContent-Encoding: gzip\r\n", false),
        (200, "Content-Type: text/html\r\nCache-Control: public, no-transform\r\n", false),
        (206, "Content-Type: text/html\r\nContent-Range: bytes 0-9/99\r\n", false),
        (206, "Content-Type: text/html\r\nContent-Range: bytes 0-9/99999\r\n", true),
        (200, "Content-Type: image/png\r\n", false),
        (200, "", false),
    ] {
        let target = Target::http(move |_| testkit::response(status, fields, &page()));
        let balancer = Balancer::start(compressing(&target));
        let response = ask(&mut Client::connect(balancer.web()), "Accept-Encoding: gzip, br, zstd\r\n");
        assert_eq!((response.text(), response.field("vary").is_some()), (page(), varies), "{fields}");
        assert_eq!(response.field("content-length"), Some(page().len().to_string().as_str()), "{fields}");
    }
    let target = Target::http(|_| testkit::response(200, "Content-Type: text/html\r\n", "small"));
    let balancer = Balancer::start(compressing(&target));
    assert_eq!(ask(&mut Client::connect(balancer.web()), "Accept-Encoding: gzip\r\n").text(), "small");
}

#[test]
fn a_client_may_forbid_it() {
    let target = Target::http(|_| html(""));
    let balancer = Balancer::start(compressing(&target));
    let mut client = Client::connect(balancer.web());
    let response = ask(&mut client, "Accept-Encoding: gzip\r\nCache-Control: no-transform\r\n");
    assert_eq!((response.text(), response.field("vary")), (page(), Some("Accept-Encoding")));
}

#[test]
fn http10_gets_no_compression() {
    let target = Target::http(|_| html(""));
    let balancer = Balancer::start(compressing(&target));
    let response = exchange(balancer.web(), "GET / HTTP/1.0\r\nAccept-Encoding: gzip\r\n\r\n");
    assert_eq!((response.text(), response.field("vary")), (page(), Some("Accept-Encoding")));
    assert_eq!(response.field("content-length"), Some(page().len().to_string().as_str()));
}
