//! Idle target connections are pooled and reused for other clients (KA5).

use testkit::{Balancer, Config, Target, get, ok, wait_until};

#[test]
fn pool_is_shared_by_clients() {
    let target = Target::named("one");
    let balancer = Balancer::start(Config::to(&target));
    let web = balancer.web();
    for _ in 0..5 {
        assert_eq!(get(web, "/").text(), "one");
    }
    assert_eq!((target.requests().len(), target.connections()), (5, 1));
    assert_eq!(balancer.metric("evenkeel_target_connections_reused_total", &[]), 4.0);
}

#[test]
fn pool_has_a_size_and_a_timeout() {
    let target = Target::http(|_| ok("one"));
    let none = Balancer::start(Config::to(&target).group("keepalive = { idle_max = 0 }"));
    let web = none.web();
    for _ in 0..2 {
        get(web, "/");
    }
    wait_until("no connection is kept", || target.open() == 0);
    assert_eq!(target.connections(), 2);
    let short = Balancer::start(Config::to(&target).group("keepalive = { idle_timeout = \"500ms\" }"));
    get(short.web(), "/");
    wait_until("the idle connection is closed", || target.open() == 0);
}
