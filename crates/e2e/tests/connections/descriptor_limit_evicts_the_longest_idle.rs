//! Where file descriptors run out, each newcomer takes the place of what has been idle longest, and none is refused
//! (OP9, KA10).

use testkit::{Balancer, Client, Config, Http2Target, Target, wait_until};

use crate::held::{Held, busy};

fn refused(balancer: &Balancer) -> f64 {
    balancer.metric("evenkeel_listener_connections_refused_total", &[])
}

#[test]
fn each_newcomer_takes_the_place_of_the_longest_idle_client() {
    let target = Target::named("served");
    let balancer = Balancer::prepare(Config::to(&target).top("workers = 2")).open_files(200).start();
    let mut clients = Vec::new();
    for number in 0..400 {
        let mut client = Client::connect(balancer.web());
        assert_eq!(client.get("/").text(), "served", "client {number}");
        clients.push(client);
    }
    assert_eq!(refused(&balancer), 0.0);
    // Some 150 fit. Clients that became idle within the same millisecond may go in any order.
    let is_closed: Vec<_> = clients.iter().map(|client| !client.is_open_and_silent()).collect();
    assert!(!is_closed[..200].contains(&false), "the first go");
    assert!(!is_closed[300..].contains(&true), "the last stay");
}

#[test]
fn silent_newcomers_take_the_place_of_each_other() {
    let target = Target::named("served");
    let balancer = Balancer::prepare(Config::to(&target)).open_files(200).start();
    let _silent: Vec<_> = (0..400).map(|_| Client::connect(balancer.web())).collect();
    let mut client = Client::connect(balancer.web());
    assert_eq!(client.get("/").text(), "served");
    assert_eq!(refused(&balancer), 0.0);
}

#[test]
fn a_flood_evicts_no_connection_with_a_request() {
    let held = Held::new();
    let balancer = Balancer::prepare(Config::to(&held.target)).open_files(200).start();
    let mut busy: Vec<_> = (0..10).map(|_| busy(&balancer)).collect();
    let _silent: Vec<_> = (0..400).map(|_| Client::connect(balancer.web())).collect();
    held.answer(busy.len());
    for client in &mut busy {
        assert_eq!(client.response().text(), "served");
    }
    wait_until("the flood is over", || balancer.metric("evenkeel_listener_accepts_waiting", &[]) == 0.0);
}

#[test]
fn idle_http2_connections_to_targets_are_closed_for_newcomers() {
    let held = Held::new();
    let targets: Vec<_> = (0..60).map(|_| Http2Target::named("served")).collect();
    let addresses: Vec<_> = targets.iter().map(Http2Target::address).collect();
    let config = Config::to_addresses(&addresses).group("protocol = \"h2c\"").also("held", &held.target);
    let config = config.rule("path = \"/held\"\nforward = \"held\"").top("workers = 1");
    let balancer = Balancer::prepare(config).open_files(200).start();
    let mut client = Client::connect(balancer.web());
    targets.iter().for_each(|_| assert_eq!(client.get("/").text(), "served"));
    assert!(targets.iter().all(|target| target.connections() == 1));
    let mut busy: Vec<_> = (0..60).map(|_| busy(&balancer)).collect();
    held.answer(busy.len());
    for client in &mut busy {
        assert_eq!(client.response().text(), "served");
    }
    assert_eq!(refused(&balancer), 0.0);
}
