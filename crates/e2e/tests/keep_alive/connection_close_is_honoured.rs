//! A client that says `Connection: close` is told so and closed after its response (KA4).

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
    assert_eq!(target.requests().len(), 1, "what follows is not served");
}
