//! A client that has a compressed page revalidates it with a weak validator. The target's 304 names the strong
//! one, which the client has never seen, so the client gets its own back. `If-None-Match` reaches the target as
//! sent (HTTP5, RFC 9111 §4.3.4).

use testkit::{Balancer, Client, Target};

use crate::{ask, compressing, html};

#[test]
fn not_modified_keeps_the_validator() {
    let target = Target::http(|request| match request.field("if-none-match") {
        Some(_) => b"HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\n\r\n".to_vec(),
        None => html("ETag: \"x\"\r\n"),
    });
    let balancer = Balancer::start(compressing(&target));
    let mut client = Client::connect(balancer.web());
    for (accepts, expected) in [("Accept-Encoding: gzip\r\n", "W/\"x\""), ("", "\"x\"")] {
        let page = ask(&mut client, accepts);
        assert_eq!(page.field("etag"), Some(expected));
        let again = ask(&mut client, &format!("{accepts}If-None-Match: {expected}\r\n"));
        assert_eq!((again.status(), again.field("etag")), (304, Some(expected)));
        assert_eq!(
            (page.field("vary"), again.field("vary")),
            (Some("Accept-Encoding"), Some("Accept-Encoding"))
        );
        let requests = target.requests();
        assert_eq!(requests.last().unwrap().field("if-none-match"), Some(expected));
    }
}
