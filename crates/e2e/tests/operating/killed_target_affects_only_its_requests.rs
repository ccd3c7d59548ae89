//! A target that is killed under load fails only what was in flight to it; everything else goes to the others.

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
        wait_until("both are busy", || doomed.requests().len() > 100 && other.requests().len() > 100);
        let before = other.requests().len();
        doomed.kill();
        wait_until("the other one goes on", || other.requests().len() > before + 300);
        ended.store(true, Ordering::SeqCst);
    });
    let failed = failed.into_inner();
    assert!(failed <= CLIENTS, "{failed} failed, {CLIENTS} were in flight at most");
}
