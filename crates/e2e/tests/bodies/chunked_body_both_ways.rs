//! Chunked bodies are passed both ways with the trailers that are allowed; chunk extensions are removed.

use testkit::{Balancer, Client, Config, Target};

const RESPONSE: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n\
                        3;a=b\r\nabc\r\n2\r\nde\r\n0\r\nX-Sum: 5\r\n\r\n";

#[test]
fn chunked_body_both_ways() {
    let target = Target::http(|_| RESPONSE.into());
    let balancer = Balancer::start(Config::to(&target));
    let mut client = Client::connect(balancer.web());
    client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;x=\"y;z\"\r\nup");
    client.send("1\r\n4\r\nmore\r\n0\r\nX-Up: 7\r\nContent-Length: 9\r\nHost: b\r\n\r\n");
    let response = client.response();
    assert_eq!((response.text().as_str(), response.is_complete), ("abcde", true));
    assert_eq!(response.all("transfer-encoding"), ["chunked"]);
    assert_eq!(response.trailers, ["X-Sum: 5"]);
    let request = target.request();
    assert_eq!((request.text().as_str(), request.trailers), ("up1more", vec!["X-Up: 7".to_owned()]));
    assert_eq!(client.get("/again").text(), "abcde", "the client's connection is kept");
    assert_eq!(target.connections(), 1, "the target's connection is reused");
}
