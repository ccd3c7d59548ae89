//! Killing a target under load fails only the requests in flight to it; all others go to the remaining target.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use testkit::{Balancer, Client, Config, Target, wait_until};

const CLIENTS: usize = 8;

#[test]
fn killed_target_affects_only_its_requests() {
    let (doomed, other) = (Target::named("doomed"), Target::named("other"));
    let balancer = Balancer::start(Config::to_all(&[&doomed, &other]).top("workers = 2"));
    let web = balancer.web();
    let (ended, failed) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| {
                let mut client = Client::connect(web);
                while !ended.load(Ordering::SeqCst) {
                    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody");
                    let response = client.response();
                    if response.status() != 200 {
                        assert_eq!(response.reason(), "target_closed_before_response");
                        failed.fetch_add(1, Ordering::SeqCst);
                    }
                }
            });
        }
        wait_until("both targets are busy", || doomed.requests().len() > 100 && other.requests().len() > 100);
        let before = other.requests().len();
        doomed.kill();
        wait_until("the other target serves requests", || other.requests().len() > before + 300);
        ended.store(true, Ordering::SeqCst);
    });
    let failed = failed.into_inner();
    assert!(failed <= CLIENTS, "{failed} failed, {CLIENTS} were in flight at most");
}
