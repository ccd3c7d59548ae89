//! The clock of a session starts when its last request ends: a request in flight holds it, however long it takes, and an
//! unused session is over after `timeout` (SP1).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use testkit::{Balancer, Client, Config, Target, ok, wait_until};

#[test]
fn unused_session_expires() {
    let goes_on = Arc::new(AtomicBool::new(false));
    let target = |name: &'static str| {
        let goes_on = Arc::clone(&goes_on);
        Target::http(move |request| {
            if request.target() == "/held" {
                wait_until("the test goes on", || goes_on.load(Ordering::SeqCst));
            }
            ok(name)
        })
    };
    let targets = [target("a"), target("b")];
    let config =
        Config::to_all(&targets.each_ref()).group("persistence = { type = \"source_ip\", timeout = \"1s\" }");
    let balancer = Balancer::start(config);
    let table = |event| {
        balancer.metric("evenkeel_session_table_events_total", &[("store", "process"), ("event", event)])
    };
    let sessions = || balancer.metric("evenkeel_sessions", &[("store", "process")]);
    let ask = |user| Client::connect_from([127, 0, 5, user], balancer.web()).get("/").text();
    let home = ask(1);
    let mut held = Client::connect_from([127, 0, 5, 1], balancer.web());
    held.send("GET /held HTTP/1.1\r\nHost: a\r\n\r\n");
    ask(2);
    wait_until("the unused session has expired", || table("expired") == 1.0);
    assert_eq!(sessions(), 1.0, "the session with a request in flight is still there");
    assert_eq!(ask(1), home);
    goes_on.store(true, Ordering::SeqCst);
    assert_eq!(held.response().text(), home);
    wait_until("it has expired, too", || table("expired") == 2.0);
    assert_eq!((sessions(), table("created")), (0.0, 2.0));
}
