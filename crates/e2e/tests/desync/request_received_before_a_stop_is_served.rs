//! A request that has arrived when the balancer stops is served, whether it was read already or not, and its
//! response has `Connection: close` (OP4).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use testkit::{Balancer, Client, Config, Signal, Target, ok, wait_until};

const IDLE: usize = 200;
const FRESH: usize = 20;
const REQUEST: &str = "GET /slow HTTP/1.1\r\nHost: a\r\n\r\n";

#[test]
fn request_received_before_a_stop_is_served() {
    let is_released = Arc::new(AtomicBool::new(false));
    let target = Target::http({
        let is_released = Arc::clone(&is_released);
        move |request| {
            if request.target() == "/slow" {
                wait_until("the release", || is_released.load(Ordering::SeqCst));
            }
            ok("finished")
        }
    });
    let mut balancer = Balancer::start(Config::to(&target));
    let web = balancer.web();
    let mut clients: Vec<_> = (0..IDLE).map(|_| Client::connect(web)).collect();
    for client in &mut clients {
        assert_eq!(client.get("/").field("connection"), None);
    }
    // The process is stopped (SIGSTOP), so that it sees the requests and the signal at the same time.
    balancer.signal(Signal::STOP);
    clients.extend((0..FRESH).map(|_| Client::connect(web)));
    clients.iter_mut().for_each(|client| client.send(REQUEST));
    balancer.signal(Signal::TERM);
    balancer.signal(Signal::CONT);
    wait_until("all are in flight", || target.requests().len() == IDLE + IDLE + FRESH);
    is_released.store(true, Ordering::SeqCst);
    for client in &mut clients {
        let response = client.response();
        assert_eq!((response.status(), response.text().as_str()), (200, "finished"));
        assert_eq!(response.field("connection"), Some("close"));
        assert!(client.is_closed());
    }
    assert_eq!(balancer.wait_exit().code(), Some(0));
}
