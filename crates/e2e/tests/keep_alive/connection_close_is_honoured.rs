//! A client that sends `Connection: close` gets the same in its response and is closed after it (KA4).

use testkit::{Balancer, Client, Config, Target};

#[test]
fn connection_close_is_honoured() {
    let target = Target::named("one");
    let balancer = Balancer::start(Config::to(&target));
    let mut client = Client::connect(balancer.web());
    client.send(
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: foo, Close\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n",
    );
    let response = client.response();
    assert_eq!((response.status(), response.field("connection")), (200, Some("close")));
    assert!(client.is_closed());
    assert_eq!(target.requests().len(), 1, "the pipelined request is not served");
}
