//! The number of connections never exceeds `max_connections`, over all workers, however many arrive at once.
//! All are served in the end, and none stays counted (KA10).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use testkit::{Balancer, Client, Config, Target, ok, wait_until};

const MAX: usize = 6;
const CLIENTS: usize = 60;

#[test]
fn limit_is_exact() {
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let target = Target::http({
        let (now, most) = (Arc::clone(&now), Arc::clone(&most));
        move |request| {
            most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            if request.target() == "/slow" {
                thread::park_timeout(Duration::from_millis(20));
            }
            now.fetch_sub(1, Ordering::SeqCst);
            ok("served")
        }
    });
    let config = Config::to(&target).top("workers = 2").listener(&format!("max_connections = {MAX}"));
    let balancer = Balancer::start(config);
    let web = balancer.web();
    let served = |_| thread::spawn(move || Client::connect(web).get("/slow").text());
    let clients: Vec<_> = (0..CLIENTS).map(served).collect();
    while clients.iter().any(|client| !client.is_finished()) {
        assert!(balancer.status()["load_balancers"][0]["connections_open"].as_u64().unwrap() <= MAX as u64);
    }
    for client in clients {
        assert_eq!(client.join().unwrap(), "served");
    }
    assert_eq!(most.load(Ordering::SeqCst), MAX, "the limit is reached and not exceeded");
    wait_until("no connection is counted", || {
        balancer.metric("evenkeel_load_balancer_connections_open", &[]) == 0.0
            && balancer.metric("evenkeel_listener_connections_open", &[]) == 0.0
            && balancer.metric("evenkeel_listener_accepts_waiting", &[]) == 0.0
    });
    assert_eq!(balancer.metric("evenkeel_listener_connections_refused_total", &[]), 0.0);
    assert_eq!(balancer.metric("evenkeel_listener_connections_accepted_total", &[]), CLIENTS as f64);
}
