//! If `max_connections` is reached, the connection that has been idle longest on any worker is evicted for a
//! new one (KA10).

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
    // They become idle in another order than they connected.
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
        assert!(clients[place].is_closed(), "eviction {count} closes client {place}");
        let rest = &order[count + 1..];
        assert!(rest.iter().all(|&place| clients[place].is_open_and_silent()), "no other client is closed");
        next_millisecond();
    }
    assert_eq!(balancer.metric("evenkeel_listener_connections_evicted_total", &[]), MAX as f64);
    assert_eq!(balancer.metric("evenkeel_listener_connections_refused_total", &[]), 0.0);
}

/// Lets the workers' clocks advance: they order idle connections by milliseconds.
fn next_millisecond() {
    let _ = elapsed(|| std::thread::park_timeout(Duration::from_millis(5)));
}
