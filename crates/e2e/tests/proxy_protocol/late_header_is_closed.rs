//! A header must arrive within `header_timeout`, and a connection without one does not delay a stop (L47,
//! KA12).

use std::time::Duration;

use testkit::{Balancer, Client, Config, Signal, Target, elapsed, get, wait_until};

use crate::{SENDER, config, counted};

#[test]
fn late_header_is_closed() {
    let target = Target::named("served");
    let balancer = Balancer::start(config(&target));
    let mut silent = Client::connect_from(SENDER, balancer.web());
    let mut slow = Client::connect_from(SENDER, balancer.web());
    let mut line = b"PROXY TCP6 2001:db8::1".iter().cycle();
    let time = elapsed(|| {
        wait_until("the connection is closed", || {
            assert_eq!(get(balancer.web(), "/").status(), 200, "others are served meanwhile");
            slow.try_send([*line.next().unwrap()]).is_err() || !slow.is_open_and_silent()
        });
    });
    assert!(time < Duration::from_secs(4), "{time:?}");
    assert!(silent.is_closed());
    wait_until("both connections are counted", || {
        counted(&balancer, "timed_out") + counted(&balancer, "malformed") == 2.0
    });
}

#[test]
fn a_silent_connection_does_not_delay_a_stop() {
    let target = Target::named("served");
    let config = Config::to(&target).listener("proxy_protocol = [\"127.0.0.2\"]");
    let mut balancer = Balancer::start(config.top("stop_timeout = \"60s\""));
    let mut sender = Client::connect_from(SENDER, balancer.web());
    sender.send("PROXY ");
    wait_until("the connection is accepted", || {
        balancer.metric("evenkeel_listener_connections_open", &[]) == 1.0
    });
    balancer.signal(Signal::TERM);
    let time = elapsed(|| assert!(balancer.wait_exit().success()));
    assert!(time < Duration::from_secs(5), "{time:?}");
}
