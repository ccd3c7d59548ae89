//! A denied client gets a complete 403. Its connection is kept if the whole request was read, else it is closed
//! (HTTP8).

use testkit::{Balancer, Client, Config, Target};

use crate::GET;

#[test]
fn denied_client_gets_a_403() {
    let target = Target::named("never");
    let balancer = Balancer::start(Config::to(&target).listener("access = { deny = [\"127.0.0.0/8\"] }"));
    let mut client = Client::connect(balancer.web());
    for _ in 0..2 {
        client.send(GET);
        assert_eq!(client.response().status(), 403, "the connection is kept");
    }
    client.send(format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", GET.len() * 2));
    let denied = client.response();
    assert_eq!((denied.status(), denied.field("connection"), denied.is_complete), (403, Some("close"), true));
    // The rest of the body must not be read as the next request.
    let _ = client.try_send(GET.repeat(2));
    assert!(client.is_closed());

    let mut client = Client::connect(balancer.web());
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
    assert_eq!(client.response().status(), 403, "without a 100 before");
    assert!(client.is_closed());
    assert_eq!(target.connections(), 0);
}
