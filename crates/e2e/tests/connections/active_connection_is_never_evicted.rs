//! A connection with a request in flight is never evicted. A new connection waits in the accept queue until the
//! first active one has its response and closes (KA10).

use testkit::{Balancer, Client, Config, wait_until};

use crate::held::{GET, Held, busy};

#[test]
fn active_connection_is_never_evicted() {
    let held = Held::new();
    let config = Config::to(&held.target).top("workers = 2").listener("max_connections = 2");
    let balancer = Balancer::start(config);
    let mut active = [busy(&balancer), busy(&balancer)];
    let mut waiting = Client::connect(balancer.web());
    waiting.send(GET);
    wait_until("an accept is blocked", || balancer.metric("evenkeel_listener_accepts_waiting", &[]) == 1.0);
    assert!(balancer.status()["listeners"][0]["waiting"].as_bool().unwrap());
    assert!(active.iter().all(Client::is_open_and_silent) && waiting.is_open_and_silent());

    held.answer(1);
    assert_eq!(waiting.response().text(), "served", "one response has closed its connection");
    wait_until("no accept is blocked", || balancer.metric("evenkeel_listener_accepts_waiting", &[]) == 0.0);
    held.answer(1);
    let responses = active.each_mut().map(Client::response);
    assert!(responses.iter().all(|response| response.text() == "served"));
    let closing = responses.iter().filter(|response| response.field("connection") == Some("close")).count();
    assert_eq!(closing, 1, "the second was answered while no accept was blocked");
    assert_eq!(balancer.metric("evenkeel_listener_client_aborts_total", &[]), 0.0);
}

#[test]
fn while_an_accept_is_blocked_a_response_has_connection_close() {
    let held = Held::new();
    let config = Config::to(&held.target).listener("max_connections = 1");
    let balancer = Balancer::start(config);
    let mut active = busy(&balancer);
    let mut waiting = Client::connect(balancer.web());
    waiting.send(GET);
    wait_until("an accept is blocked", || balancer.metric("evenkeel_listener_accepts_waiting", &[]) == 1.0);
    held.answer(1);
    assert_eq!(active.response().field("connection"), Some("close"));
    assert!(active.is_closed());
    assert_eq!(waiting.response().field("connection"), None, "no accept is blocked any more");
}
