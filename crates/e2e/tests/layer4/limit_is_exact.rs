//! `max_connections` is a hard limit over all workers: a further connection is reset and counted, and a place that is
//! freed can be used at once (L44).

use testkit::{Balancer, wait_until};

use crate::{connect, echo, is_refused, tcp};

#[test]
fn limit_is_exact() {
    let target = echo();
    let config = tcp(&target).top("workers = 2").listener("max_connections = 10");
    let balancer = Balancer::start(config);
    let mut open: Vec<_> = (0..10).map(|_| connect(&balancer)).collect();
    let refused = || balancer.metric("evenkeel_listener_connections_refused_total", &[("reason", "full")]);
    for count in 1..=4 {
        assert!(is_refused(balancer.web()));
        assert_eq!(refused(), f64::from(count));
    }
    for _ in 0..3 {
        drop(open.pop());
        wait_until("the place is free", || {
            balancer.metric("evenkeel_listener_connections_open", &[]) == open.len() as f64
        });
        open.push(connect(&balancer));
    }
    assert_eq!((refused(), open.len()), (4.0, 10));
    for client in &mut open {
        client.send("still");
        assert_eq!(client.read_exactly(5), b"still", "none of them was evicted");
    }
}
