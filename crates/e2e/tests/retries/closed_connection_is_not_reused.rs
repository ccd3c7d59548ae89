//! A POST does not use an idle connection whose FIN has already arrived.

use testkit::{Balancer, Client, Config, Target, ok, wait_until};

#[test]
fn closed_connection_is_not_reused() {
    let target = Target::script(|mut connection| {
        connection.request()?;
        connection.send(ok("once"))
    });
    let balancer = Balancer::start(Config::to(&target));
    let mut client = Client::connect(balancer.web());
    for number in 1..=20 {
        client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody");
        assert_eq!(client.response().status(), 200, "POST number {number}");
        wait_until("the target has closed", || target.open() == 0);
    }
    assert_eq!(target.connections(), 20);
}
