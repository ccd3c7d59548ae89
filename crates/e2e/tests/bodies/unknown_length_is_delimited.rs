//! A body of unknown length is chunked for HTTP/1.1. For HTTP/1.0, which never gets chunks, it ends when the
//! connection closes (KA3).

use testkit::{Balancer, Client, Config, Target};

#[test]
fn until_close_becomes_chunked() {
    let target = Target::once("HTTP/1.1 200 OK\r\n\r\nuntil the end");
    let balancer = Balancer::start(Config::to(&target));
    let mut client = Client::connect(balancer.web());
    for _ in 0..2 {
        let response = client.get("/");
        assert_eq!(response.all("transfer-encoding"), ["chunked"]);
        assert_eq!((response.text().as_str(), response.is_complete), ("until the end", true));
    }
}

#[test]
fn http10_gets_no_chunks() {
    let chunked =
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\nX-T: 1\r\n\r\n";
    for (response, expected) in [(chunked, "abcde"), ("HTTP/1.1 200 OK\r\n\r\nuntil", "until")] {
        let target = Target::once(response);
        let balancer = Balancer::start(Config::to(&target));
        let mut client = Client::connect(balancer.web());
        client.send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
        let response = client.response();
        assert_eq!(
            (response.field("transfer-encoding"), response.field("connection")),
            (None, Some("close"))
        );
        assert_eq!((response.text().as_str(), response.is_complete), (expected, true));
    }
}
