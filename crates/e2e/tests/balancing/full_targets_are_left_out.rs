//! `max_connections` of a group: a target with so many requests in flight gets no further one; if all are full, the request
//! is answered with 503 and says why (L44).

use testkit::{Balancer, Client, Config, Target, ok, wait_until};

#[test]
fn full_targets_are_left_out() {
    let slow = || Target::http(|request| if request.target() == "/slow" { Vec::new() } else { ok("served") });
    let (one, other) = (slow(), slow());
    let config = Config::to_all(&[&one, &other]).top("workers = 2").group("max_connections = 2");
    let balancer = Balancer::start(config);
    let held: Vec<_> = (0..4)
        .map(|count| {
            let mut client = Client::connect(balancer.web());
            client.send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n");
            wait_until("a target holds the request", || {
                one.requests().len() + other.requests().len() == count + 1
            });
            client
        })
        .collect();
    assert_eq!([&one, &other].map(|target| target.requests().len()), [2, 2], "two each");

    let mut client = Client::connect(balancer.web());
    let response = client.get("/");
    assert_eq!(response.status(), 503);
    let line = balancer.log_line("reason", "targets_full");
    assert_eq!(line["attempts"], 0);
    let full = || balancer.metric("evenkeel_listener_failures_total", &[("reason", "targets_full")]);
    assert_eq!(full(), 1.0);

    held.into_iter().next().unwrap().reset();
    let freed = || balancer.targets().iter().any(|target| target["in_flight"] == 1);
    wait_until("a place is free", freed);
    assert_eq!(Client::connect(balancer.web()).get("/").text(), "served");
    assert_eq!(full(), 1.0);
}
