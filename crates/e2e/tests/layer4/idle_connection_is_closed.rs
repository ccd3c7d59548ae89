//! A connection on which no byte moves for `idle_timeout` is closed on both sides; a byte in either direction keeps it
//! (L43).

use std::time::Duration;

use testkit::{Balancer, Client, Target, elapsed, wait_until};

use crate::{connect, echo, tcp};

#[test]
fn idle_connection_is_closed() {
    let target = echo();
    let balancer = Balancer::start(tcp(&target).listener("idle_timeout = \"1s\""));
    let mut client = connect(&balancer);
    let idle = elapsed(|| assert!(client.is_closed()));
    assert!(idle >= Duration::from_millis(900), "{idle:?}");
    wait_until("the target's side is closed", || target.open() == 0);
    let line = balancer.log_line("end", "idle");
    assert_eq!((&line["ended_by"], &line["bytes_in"]), (&"evenkeel".into(), &5.into()));
    wait_until("nothing is counted", || balancer.metric("evenkeel_listener_connections_open", &[]) == 0.0);
}

#[test]
fn a_byte_in_either_direction_keeps_it() {
    let target = Target::script(|mut connection| {
        for _ in 0..5 {
            assert!(!connection.closes_within(Duration::from_millis(500)), "the connection is not idle");
            connection.send("tick")?;
        }
        Ok(())
    });
    let balancer = Balancer::start(tcp(&target).listener("idle_timeout = \"1s\""));
    let mut client = Client::connect(balancer.web());
    assert_eq!(client.read_exactly(20), b"tickticktickticktick");
}
