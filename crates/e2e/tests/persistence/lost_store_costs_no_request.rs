//! A store that hangs, dies or comes back costs no request: what a balancer knows goes on, new sessions go where a hash says,
//! and it recovers by itself (SP9).

use std::collections::HashMap;

use testkit::{Client, Config, wait_until};

use crate::redis::Redis;
use crate::users::{User, node, three, with_sessions};

#[test]
fn lost_store_costs_no_request() {
    let mut redis = Redis::start();
    let targets = three();
    let config = Config::to_all(&targets.each_ref())
        .group("persistence = { type = \"source_ip\", timeout = \"5m\", store = \"shared\" }")
        .text(&redis.store(""));
    let nodes = [node(&config), node(&config)];
    let ask = |user: u8, node: usize| {
        let answer = Client::connect_from([127, 0, 4, user], nodes[node].web()).get("/");
        assert_eq!(answer.status(), 200);
        answer.text()
    };
    let known: HashMap<u8, String> = (1..=10).map(|user| (user, ask(user, 0))).collect();
    redis.stop();
    for (user, home) in &known {
        assert_eq!(ask(*user, 0), *home, "what a balancer knows goes on");
    }
    // The hash is the same in both.
    let fallback: HashMap<u8, String> = (11..=30).map(|user| (user, ask(user, 0))).collect();
    for (user, home) in &fallback {
        assert_eq!(ask(*user, 1), *home, "both choose the same target without the store");
    }
    let counted = [("listener", "web"), ("session", "fallback")];
    assert!(nodes[1].metric("evenkeel_listener_session_requests_total", &counted) >= 20.0);
    redis.go_on();
    wait_until("the store is used again", || {
        let found = [("store", "shared"), ("event", "claim_won")];
        let before = nodes[0].metric("evenkeel_session_store_sessions_total", &found);
        ask(fastrand(), 0);
        nodes[0].metric("evenkeel_session_store_sessions_total", &found) > before
    });
    redis.kill();
    for (user, home) in known.iter().chain(&fallback) {
        assert_eq!(ask(*user, 0), *home);
    }
}

/// Sessions of learned cookies that begin while the store is away are written to it when it is back, used or not.
#[test]
fn what_began_without_the_store_is_in_it_later() {
    let redis = Redis::start();
    let targets = [with_sessions("a"), with_sessions("b"), with_sessions("c")];
    let config = Config::to_all(&targets.each_ref())
        .group("persistence = { type = \"cookie\", mode = \"learn\", name = \"SID\", store = \"shared\" }")
        .text(&redis.store("timeout = \"100ms\""));
    let nodes = [node(&config), node(&config)];
    redis.stop();
    let mut users: Vec<_> = (0..9)
        .map(|number| {
            let mut user = User::default();
            let home = user.get(nodes[0].web(), &format!("/{number}")).text();
            (user, home)
        })
        .collect();
    redis.go_on();
    wait_until("the store has been told", || {
        let rewritten = [("store", "shared"), ("event", "rewritten")];
        nodes[0].metric("evenkeel_session_store_sessions_total", &rewritten) >= 1.0
            && users.iter_mut().all(|(user, home)| user.get(nodes[1].web(), "/").text() == *home)
    });
}

/// Another client each time.
fn fastrand() -> u8 {
    use std::sync::atomic::{AtomicU8, Ordering};
    static NEXT: AtomicU8 = AtomicU8::new(31);
    NEXT.fetch_add(1, Ordering::Relaxed).clamp(31, 250)
}
