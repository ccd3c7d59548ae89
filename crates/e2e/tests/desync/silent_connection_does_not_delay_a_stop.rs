//! A client that connects and sends nothing does not delay a stop until `stop_timeout` (OP4).

use std::time::Duration;

use testkit::{Balancer, Client, Config, Signal, Target, elapsed, wait_until};

#[test]
fn silent_connection_does_not_delay_a_stop() {
    let target = Target::named("never");
    let config = Config::to(&target).top("stop_timeout = \"30s\"").listener("header_timeout = \"60s\"");
    let mut balancer = Balancer::start(config);
    let mut silent = Client::connect(balancer.web());
    wait_until("the connection is accepted", || {
        balancer.metric("evenkeel_listener_connections_open", &[]) == 1.0
    });
    balancer.signal(Signal::TERM);
    let time = elapsed(|| assert_eq!(balancer.wait_exit().code(), Some(0)));
    assert!(time < Duration::from_secs(5), "{time:?}");
    assert!(silent.is_closed());
}
