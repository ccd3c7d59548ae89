//! A body with `Content-Length` is passed both ways unchanged.

use testkit::{Balancer, Client, Config, Target, ok};

#[test]
fn content_length_both_ways() {
    let target = Target::http(|request| ok(&request.text().to_uppercase()));
    let balancer = Balancer::start(Config::to(&target));
    let mut client = Client::connect(balancer.web());
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc");
    client.send("defghij");
    let response = client.response();
    assert_eq!((response.field("content-length"), response.text().as_str()), (Some("10"), "ABCDEFGHIJ"));
    client.send("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(client.response().text(), "");
    let requests = target.requests();
    assert_eq!(requests[0].all("content-length"), ["10"]);
    assert_eq!(requests[1].all("content-length"), ["0"]);
    assert_eq!(requests[0].field("transfer-encoding"), None);
}
