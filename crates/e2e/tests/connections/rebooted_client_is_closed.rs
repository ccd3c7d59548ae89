//! A client whose machine came back without its connections is closed by its reset, long before probes run out (KA9).

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
    // The reset that this makes cannot leave the machine.
    client.reset();
    wait_until("a probe is lost", || network.probes() >= 1);
    assert_eq!(balancer.metric("evenkeel_listener_connections_open", &[]), 1.0);
    let before = network.probes();
    network.appear(Network::CLIENT);
    wait_until("it is closed", || balancer.metric("evenkeel_listener_connections_open", &[]) == 0.0);
    assert!(network.probes() - before <= 1, "the next probe was answered");
    assert_eq!(balancer.metric("evenkeel_listener_dead_peers_total", &[]), 0.0, "it did not vanish");
}
