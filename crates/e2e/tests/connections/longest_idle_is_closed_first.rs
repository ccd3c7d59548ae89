//! When all places are taken, the connection that has been idle longest is closed for a new one, over all workers (KA10).

use std::time::Duration;
use testkit::{Balancer, Client, Config, Target, elapsed};

const MAX: usize = 8;

#[test]
fn longest_idle_is_closed_first() {
    let target = Target::named("served");
    let config = Config::to(&target).top("workers = 2").listener(&format!("max_connections = {MAX}"));
    let balancer = Balancer::start(config);
    let web = balancer.web();
    let mut clients: Vec<_> = (0..MAX).map(|_| Client::connect(web)).collect();
    // The order in which they become idle is not that in which they came.
    let order = [3, 0, 7, 5, 1, 6, 2, 4];
    for place in order {
        assert_eq!(clients[place].get("/").text(), "served");
        next_millisecond();
    }
    let mut late = Vec::new();
    for (count, place) in order.into_iter().enumerate() {
        let mut client = Client::connect(web);
        assert_eq!(client.get("/").text(), "served");
        late.push(client);
        assert!(clients[place].is_closed(), "number {count} to go is {place}");
        let rest = &order[count + 1..];
        assert!(rest.iter().all(|&place| clients[place].is_open_and_silent()), "and nobody else");
        next_millisecond();
    }
    assert_eq!(balancer.metric("evenkeel_listener_connections_evicted_total", &[]), MAX as f64);
    assert_eq!(balancer.metric("evenkeel_listener_connections_refused_total", &[]), 0.0);
}

/// The order over workers is by their clocks, in milliseconds.
fn next_millisecond() {
    let _ = elapsed(|| std::thread::park_timeout(Duration::from_millis(5)));
}
