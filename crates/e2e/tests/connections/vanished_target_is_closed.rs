//! A target that vanishes is detected after exactly the configured number of probes: its idle connections are
//! closed, and a waiting client gets a response (KA9).

use testkit::{Network, wait_until};

use crate::vanished::{NO_PROBES, PROBES, connect, start, wait_until_closed};

#[test]
fn idle_connection_is_closed_after_three_probes() {
    let network = Network::new();
    let balancer = start(&network, NO_PROBES, PROBES);
    let mut client = connect(&network, &balancer);
    assert_eq!(client.get("/").text(), "served");
    let before = network.probes();
    network.vanish(Network::TARGET);
    wait_until_closed(&network, Network::TARGET);
    assert_eq!(network.probes() - before, 3);
    wait_until("the dead peer is counted", || {
        balancer.metric("evenkeel_target_dead_peers_total", &[]) == 1.0
    });
    assert_eq!(balancer.metric("evenkeel_target_connections_open", &[]), 0.0);
}

#[test]
fn a_waiting_client_gets_an_error() {
    let network = Network::new();
    let balancer = start(&network, NO_PROBES, PROBES);
    let mut client = connect(&network, &balancer);
    client.send("GET /never HTTP/1.1\r\nHost: a\r\n\r\n");
    wait_until("the request is in flight", || {
        balancer.metric("evenkeel_target_requests_in_flight", &[]) == 1.0
    });
    wait_until("the request is acknowledged", || !network.sockets(Network::TARGET).contains("unacked"));
    network.vanish(Network::TARGET);
    let response = client.response();
    assert_eq!(response.status(), 502);
    let line = balancer.log_line("reason", "target_closed_before_response");
    assert_eq!(line["detail"], "peer_dead");
    assert_eq!(network.probes(), 3);
}
