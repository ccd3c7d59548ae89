//! Fields with these names are removed if the client is not trusted, also if spelt with `_` for `-`.

use testkit::{Balancer, Config, Target, exchange};

const SPOOFED: &str = "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 6.6.6.6\r\nx_forwarded_for: 6.6.6.6\r\n\
                       X-Forwarded_For: 6.6.6.6\r\nX-Forwarded-Proto: 6\r\nX_Forwarded_Proto: 6\r\n\
                       X-Forwarded-Host: 6\r\nX-Forwarded-Port: 6\r\nForwarded: for=6.6.6.6\r\n\
                       X-Request-Id: 666\r\nX_Request_Id: 666\r\nContent_Length: 6\r\nTransfer_Encoding: chunked6\r\n\r\n";

#[test]
fn spoofed_fields_are_removed() {
    for keys in ["x_forwarded = true", "x_forwarded = false", "forwarded = true"] {
        let target = Target::named("one");
        let balancer = Balancer::start(Config::to(&target).listener(keys));
        assert_eq!(exchange(balancer.web(), SPOOFED).status(), 200);
        let request = target.request();
        let is_spoofed = |value: &str| value.contains("6.6.6.6") || ["6", "666", "chunked6"].contains(&value);
        let six: Vec<_> = request.fields.iter().filter(|(_, value)| is_spoofed(value)).collect();
        assert!(six.is_empty(), "{keys}: {six:?}");
        assert_eq!(request.all("x-request-id").len(), 1);
        assert_ne!(request.field("x-request-id"), Some("666"));
    }
}

#[test]
fn connection_cannot_remove_ours() {
    let target = Target::named("one");
    let balancer = Balancer::start(Config::to(&target));
    exchange(
        balancer.web(),
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: x-forwarded-for, x-request-id\r\n\r\n",
    );
    assert_eq!(target.request().all("x-forwarded-for"), ["127.0.0.1"]);
    assert_eq!(target.request().all("x-request-id").len(), 1);
}
