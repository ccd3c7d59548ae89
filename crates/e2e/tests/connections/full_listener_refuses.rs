//! With `when_full = "refuse"`, a new connection is closed at once and counted if all others are in use. If one
//! is idle, it is evicted instead (KA10).

use testkit::{Balancer, Client, Config, wait_until};

use crate::held::{Held, busy, wait_for_idle};

#[test]
fn full_listener_refuses() {
    let held = Held::new();
    let config = Config::to(&held.target)
        .top("workers = 2")
        .listener("max_connections = 2")
        .listener("when_full = \"refuse\"");
    let balancer = Balancer::start(config);
    let mut first = busy(&balancer);
    let mut idle = Client::connect(balancer.web());
    assert_eq!(idle.get("/").text(), "served");

    wait_for_idle(&balancer, 1);
    let mut second = busy(&balancer);
    assert!(idle.is_closed(), "the idle connection was evicted");
    let refused = || balancer.metric("evenkeel_listener_connections_refused_total", &[("reason", "full")]);
    assert_eq!(refused(), 0.0);
    for count in 1..=3 {
        assert!(Client::connect(balancer.web()).is_closed());
        assert_eq!(refused(), f64::from(count));
    }
    let line = " warning connections are refused: the limit is reached listener=web peer=127.0.0.1:";
    wait_until("the operators' log has it", || balancer.stderr().contains(line));
    assert!(balancer.stderr().contains(" of=listener limit=2 hint=\"Raise `max_connections`"));
    held.answer(2);
    assert_eq!([first.response().text(), second.response().text()], ["served", "served"]);
    assert_eq!(first.get("/").text(), "served", "after a refusal no response has Connection: close");
}
