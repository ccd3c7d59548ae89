//! A client whose machine restarted answers a probe with a reset and is closed long before the probes run out
//! (KA9).

use testkit::{Network, wait_until};

use crate::vanished::{NO_PROBES, connect, start};

#[test]
fn rebooted_client_is_closed() {
    let network = Network::new();
    let slow = "tcp_keepalive = { idle = \"1s\", interval = \"1s\", probes = 100 }";
    let balancer = start(&network, slow, NO_PROBES);
    let mut client = connect(&network, &balancer);
    assert_eq!(client.get("/").text(), "served");
    network.vanish(Network::CLIENT);
    // The client's reset cannot leave its machine.
    client.reset();
    wait_until("a probe is lost", || network.probes() >= 1);
    assert_eq!(balancer.metric("evenkeel_listener_connections_open", &[]), 1.0);
    let before = network.probes();
    network.appear(Network::CLIENT);
    wait_until("the connection is closed", || {
        balancer.metric("evenkeel_listener_connections_open", &[]) == 0.0
    });
    assert!(network.probes() - before <= 1, "the next probe was answered");
    assert_eq!(balancer.metric("evenkeel_listener_dead_peers_total", &[]), 0.0, "the client did not vanish");
}
