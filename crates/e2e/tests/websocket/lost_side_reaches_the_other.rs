//! Loss of one side of a tunnel reaches the other at once (WS5).

use std::time::Duration;

use testkit::{Balancer, Config, Target, wait_until, websocket_accept};

use crate::{connect, strict_server, switching};

#[test]
fn a_lost_client_frees_the_target() {
    let target = strict_server();
    let balancer = Balancer::start(Config::to(&target));
    connect(balancer.web()).reset();
    wait_until("the target's side is closed", || target.open() == 0);
    assert_eq!(balancer.log_line("reason", "tunnel_broken")["status"], 101);
}

#[test]
fn a_lost_target_frees_the_client() {
    let target = Target::script(|mut connection| {
        let request = connection.request()?;
        connection.send(switching(&websocket_accept(request.field("sec-websocket-key").unwrap())))?;
        connection.read_exactly(3)?;
        connection.reset()
    });
    let balancer = Balancer::start(Config::to(&target));
    let mut client = connect(balancer.web());
    client.send("die");
    assert!(client.closes_within(Duration::from_secs(1)));
    assert_eq!(balancer.log_line("reason", "tunnel_broken")["status"], 101);
}
