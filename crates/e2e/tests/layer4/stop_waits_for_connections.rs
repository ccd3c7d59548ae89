//! A graceful stop leaves open connections alone until `stop_timeout`; then they are reset on both sides (OP4, L45).

use testkit::{Balancer, Signal, wait_until};

use crate::{connect, echo, is_reset, tcp};

#[test]
fn stop_waits_for_connections() {
    let target = echo();
    let mut balancer = Balancer::start(tcp(&target).top("stop_timeout = \"1h\""));
    let mut client = connect(&balancer);
    balancer.signal(Signal::TERM);
    wait_until("it stops", || balancer.stderr().contains(" stopping"));
    client.send("still");
    assert_eq!(client.read_exactly(5), b"still");
    client.half_close();
    assert!(client.is_closed());
    assert_eq!(balancer.wait_exit().code(), Some(0));
    assert_eq!(balancer.log_line("kind", "tcp")["end"], "closed");
}

#[test]
fn at_the_deadline_connections_are_reset() {
    let target = echo();
    let mut balancer = Balancer::start(tcp(&target).top("stop_timeout = \"200ms\""));
    let mut client = connect(&balancer);
    balancer.signal(Signal::TERM);
    assert!(is_reset(&mut client));
    balancer.wait_exit();
    let line = balancer.log_line("kind", "tcp");
    assert_eq!((&line["end"], &line["ended_by"]), (&"stopped".into(), &"evenkeel".into()));
    wait_until("the target's side is closed", || target.open() == 0);
}
