//! A reload changes the connection limits at once and closes no connection in use (KA10, KA11).

use testkit::{Balancer, Client, Config, Target, wait_until};

use crate::held::{GET, Held, busy, wait_for_idle};

#[test]
fn a_raised_limit_unblocks_the_accept() {
    let held = Held::new();
    let config =
        |max| Config::to(&held.target).top("workers = 2").listener(&format!("max_connections = {max}"));
    let balancer = Balancer::start(config(1));
    let mut active = busy(&balancer);
    let mut waiting = Client::connect(balancer.web());
    waiting.send(GET);
    wait_until("an accept is blocked", || balancer.metric("evenkeel_listener_accepts_waiting", &[]) == 1.0);
    balancer.reload(config(2)).unwrap();
    assert_eq!(waiting.response().text(), "served");
    held.answer(1);
    assert_eq!(active.response().text(), "served");
    assert_eq!(active.get("/").text(), "served");
}

#[test]
fn a_lowered_limit_closes_no_active_connection() {
    let held = Held::new();
    let config = Config::to(&held.target).top("workers = 2");
    let limited = config.clone().listener("max_connections = 1").listener("when_full = \"refuse\"");
    let balancer = Balancer::start(config);
    let mut active = [busy(&balancer), busy(&balancer), busy(&balancer)];
    balancer.reload(limited).unwrap();
    assert!(Client::connect(balancer.web()).is_closed(), "three connections exceed the limit of one");
    held.answer(3);
    active.iter_mut().for_each(|client| assert_eq!(client.response().text(), "served"));
    wait_for_idle(&balancer, 0);
    assert_eq!(Client::connect(balancer.web()).get("/").text(), "served", "idle connections are evicted");
}

#[test]
fn the_client_limit_can_be_added_and_removed() {
    let target = Target::named("served");
    let config = Config::to(&target);
    let balancer = Balancer::start(config.clone());
    let limited = config.clone().listener("max_connections_per_client = 1");
    balancer.reload(limited).unwrap();
    let mut first = Client::connect(balancer.web());
    assert_eq!(first.get("/").text(), "served");
    assert!(Client::connect(balancer.web()).is_closed());
    balancer.reload(config).unwrap();
    assert_eq!(Client::connect(balancer.web()).get("/").text(), "served");
    assert_eq!(first.get("/").text(), "served");
}
