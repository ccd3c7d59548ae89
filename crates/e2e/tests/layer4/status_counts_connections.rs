//! In `status` a TCP connection counts as a request, for its listener and for its target (L41).

use testkit::{Balancer, Config, refused_address, wait_until};

use crate::{connect, echo, is_refused, tcp};

#[test]
fn connections_are_counted() {
    let target = echo();
    let balancer = Balancer::start(tcp(&target));
    for _ in 0..3 {
        let mut client = connect(&balancer);
        client.half_close();
        assert!(client.is_closed());
    }
    let _open = connect(&balancer);
    wait_until("ended connections are counted", || balancer.status()["listeners"][0]["requests"] == 4);
    let listener = &balancer.status()["listeners"][0];
    assert_eq!((&listener["requests_in_flight"], &listener["failures"]), (&1.into(), &0.into()));
    assert_eq!(balancer.targets()[0]["requests"], 4);
}

#[test]
fn failures_are_counted() {
    let config = Config::to_addresses(&[refused_address()]).listener("protocol = \"tcp\"");
    let balancer = Balancer::start(config);
    assert!(is_refused(balancer.web()));
    wait_until("the failed connection is counted", || balancer.status()["listeners"][0]["failures"] == 1);
    assert_eq!(balancer.targets()[0]["failures"], 1);
}
