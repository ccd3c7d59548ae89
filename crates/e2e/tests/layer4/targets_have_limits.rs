//! `max_connections` of a group: no target has more connections than that, over all workers; with all targets full a new one is
//! reset, and a place that is freed can be used at once (L44).

use testkit::{Balancer, wait_until};

use crate::{connect, echo, is_refused, tcp_to_all};

#[test]
fn targets_have_limits() {
    let targets = [echo(), echo()];
    let config = tcp_to_all(&targets.each_ref()).top("workers = 2").group("max_connections = 5");
    let balancer = Balancer::start(config);
    let mut open: Vec<_> = (0..10).map(|_| connect(&balancer)).collect();
    let in_flight = || -> Vec<_> {
        balancer.targets().iter().map(|target| target["in_flight"].as_u64().unwrap()).collect()
    };
    assert_eq!(in_flight(), [5, 5]);
    let full = || balancer.metric("evenkeel_listener_failures_total", &[("reason", "targets_full")]);
    for count in 1..=4 {
        assert!(is_refused(balancer.web()));
        wait_until("it is counted", || full() == f64::from(count));
    }
    assert_eq!(balancer.log_line("end", "targets_full")["attempts"], 0);
    for _ in 0..3 {
        drop(open.pop());
        wait_until("the place is free", || in_flight().iter().sum::<u64>() == open.len() as u64);
        open.push(connect(&balancer));
    }
    assert_eq!((full(), open.len()), (4.0, 10));
    for client in &mut open {
        client.send("still");
        assert_eq!(client.read_exactly(5), b"still");
    }
}
