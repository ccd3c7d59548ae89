//! A peer that answers keepalive probes is never closed, however long it is idle (KA9).

use testkit::{Network, wait_until};

use crate::vanished::{PROBES, connect, start};

#[test]
fn live_peer_is_kept() {
    let network = Network::new();
    let balancer = start(&network, PROBES, PROBES);
    let mut client = connect(&network, &balancer);
    assert_eq!(client.get("/").text(), "served");
    // More probes per side than it takes to close a peer that does not answer.
    wait_until("many probes", || network.probes() >= 10);
    assert_eq!(balancer.metric("evenkeel_target_connections_open", &[]), 1.0);
    assert_eq!(client.get("/").text(), "served");
    assert_eq!(balancer.metric("evenkeel_listener_dead_peers_total", &[]), 0.0);
    assert_eq!(balancer.metric("evenkeel_target_connections_opened_total", &[]), 1.0);
}
