//! A client that vanishes while a response is unacknowledged is closed after the time that the probes would
//! have taken. The kernel sends no probes while data is unacknowledged (KA9).

use std::time::Duration;

use testkit::{Network, elapsed, wait_until};

use crate::vanished::{NO_PROBES, PROBES, connect, start};

#[test]
fn unacknowledged_client_is_closed() {
    let network = Network::new();
    let balancer = start(&network, PROBES, NO_PROBES);
    let mut client = connect(&network, &balancer);
    assert_eq!(client.get("/").text(), "served");
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    network.vanish(Network::CLIENT);
    let open = || balancer.metric("evenkeel_listener_connections_open", &[]);
    let took = elapsed(|| wait_until("the connection is closed", || open() == 0.0));
    assert!(took > Duration::from_secs(2), "{took:?}");
    assert_eq!(balancer.metric("evenkeel_listener_dead_peers_total", &[]), 1.0);
}
