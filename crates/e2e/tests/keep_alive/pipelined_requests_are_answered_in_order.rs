//! HTTP/1.1 connections persist by default, and pipelined requests are answered in order (KA4).

use testkit::{Balancer, Client, Config, Target, ok};

#[test]
fn pipelined_requests_are_answered_in_order() {
    let target = Target::http(|request| ok(&format!("{} {}", request.target(), request.text())));
    let balancer = Balancer::start(Config::to(&target));
    let mut client = Client::connect(balancer.web());
    client.send(
        "GET /1 HTTP/1.1\r\nHost: a\r\n\r\n\
         POST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody\
         POST /3 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n\
         GET /4 HTTP/1.1\r\nHost: a\r\n\r\n",
    );
    for expected in ["/1 ", "/2 body", "/3 abc", "/4 "] {
        let response = client.response();
        assert_eq!((response.status(), response.text().as_str()), (200, expected));
        assert_eq!(response.field("connection"), None);
    }
    assert_eq!(client.get("/5").text(), "/5 ");
}
