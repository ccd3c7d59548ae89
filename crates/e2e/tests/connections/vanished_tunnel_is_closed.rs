//! A side of a tunnel that vanishes is detected by keepalive probes, long before the idle timeout, and the
//! other side is closed (WS5).

use std::net::Ipv4Addr;

use testkit::{Network, websocket_request};

use crate::vanished::{NO_PROBES, PROBES, connect, start, wait_until_closed};

#[test]
fn a_tunnel_without_its_client_is_closed() {
    without(Network::CLIENT, PROBES, NO_PROBES);
}

#[test]
fn a_tunnel_without_its_target_is_closed() {
    without(Network::TARGET, NO_PROBES, PROBES);
}

fn without(side: Ipv4Addr, listener: &str, group: &str) {
    let network = Network::new();
    let balancer = start(&network, listener, group);
    let mut client = connect(&network, &balancer);
    client.send(websocket_request("/tunnel"));
    assert_eq!(client.response().status(), 101);
    network.vanish(side);
    wait_until_closed(&network, side);
    let line = balancer.log_line("tunnel", true);
    assert_eq!((line["status"].as_u64(), line["reason"].as_str()), (Some(101), Some("peer_dead")));
    let ended = balancer.metric("evenkeel_listener_tunnels_closed_total", &[("reason", "peer_dead")]);
    assert_eq!(ended, 1.0);
}
