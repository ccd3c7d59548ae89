//! A client that vanishes is closed after exactly the configured number of probes, idle or not (KA9).

use testkit::{Network, wait_until};

use crate::vanished::{NO_PROBES, PROBES, connect, start, wait_until_closed};

#[test]
fn idle_client_is_closed_after_three_probes() {
    let network = Network::new();
    let balancer = start(&network, PROBES, NO_PROBES);
    let mut client = connect(&network, &balancer);
    assert_eq!(client.get("/").text(), "served");
    let before = network.probes();
    network.vanish(Network::CLIENT);
    wait_until_closed(&network, Network::CLIENT);
    assert_eq!(network.probes() - before, 3);
    wait_until("the dead peer is counted", || {
        balancer.metric("evenkeel_listener_dead_peers_total", &[]) == 1.0
    });
    assert_eq!(balancer.metric("evenkeel_listener_connections_open", &[]), 0.0);
}

#[test]
fn a_request_of_a_vanished_client_ends() {
    let network = Network::new();
    let balancer = start(&network, PROBES, NO_PROBES);
    let mut client = connect(&network, &balancer);
    client.send("GET /never HTTP/1.1\r\nHost: a\r\n\r\n");
    wait_until("the request is in flight", || {
        balancer.metric("evenkeel_target_requests_in_flight", &[]) == 1.0
    });
    network.vanish(Network::CLIENT);
    let line = balancer.log_line("reason", "client_aborted");
    assert_eq!((line["status"].as_u64(), line["detail"].as_str()), (Some(499), Some("peer_dead")));
    assert_eq!(network.probes(), 3);
    assert_eq!(network.sockets(Network::TARGET), "", "the target's side is closed too");
}
