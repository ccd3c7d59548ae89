//! Hop-by-hop fields and fields named by `Connection` are removed; but `Host` and `Content-Length` are kept
//! whatever it names (KA4).

use testkit::{Balancer, Config, Target, exchange, response};

const RESPONSE_FIELDS: &str = "Connection: X-Own\r\nX-Own: 1\r\nKeep-Alive: timeout=9\r\nProxy-Connection: x\r\n\
                               X-End: 2\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n";

#[test]
fn hop_by_hop_fields_are_stripped() {
    let target = Target::http(|_| response(200, RESPONSE_FIELDS, "body"));
    let balancer = Balancer::start(Config::to(&target));
    let response = exchange(
        balancer.web(),
        "POST / HTTP/1.1\r\nHost: shop.example\r\nConnection: keep-alive, x-hop, Host, content-length\r\n\
         X-Hop: 1\r\nKeep-Alive: timeout=5\r\nProxy-Connection: keep-alive\r\nTE: gzip\r\nUpgrade: foo\r\n\
         Content-Length: 4\r\nx-eNd: kept\r\n\r\nbody",
    );
    let request = target.request();
    for stripped in ["x-hop", "keep-alive", "proxy-connection", "te", "upgrade", "connection"] {
        assert_eq!(request.field(stripped), None, "{stripped}");
    }
    assert_eq!(request.field("host"), Some("shop.example"));
    assert_eq!((request.field("content-length"), request.text().as_str()), (Some("4"), "body"));
    assert!(request.fields.contains(&("x-eNd".to_owned(), "kept".to_owned())), "in the sender's spelling");
    for stripped in ["connection", "x-own", "keep-alive", "proxy-connection"] {
        assert_eq!(response.field(stripped), None, "{stripped}");
    }
    assert_eq!((response.field("x-end"), response.text().as_str()), (Some("2"), "body"));
    assert_eq!(response.all("set-cookie"), ["a=1", "b=2"]);
}
