//! An empty line behind a request, as old clients send it behind a body, begins no other request: the connection stays idle, so
//! that a stop closes it at once, and the next request is served (RFC 9112 §2.2).

use testkit::{Balancer, Client, Config, Signal, Target, wait_until};

const POST: &str = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc";

#[test]
fn a_stop_does_not_wait_for_it() {
    let target = Target::named("target");
    let mut balancer = Balancer::start(Config::to(&target).top("stop_timeout = \"60s\""));
    let (mut with_it, mut behind_it) = (Client::connect(balancer.web()), Client::connect(balancer.web()));
    for _ in 0..2 {
        with_it.send(format!("{POST}\r\n"));
        assert_eq!(with_it.response().text(), "target");
        behind_it.send(POST);
        assert_eq!(behind_it.response().text(), "target");
        behind_it.send("\r\n");
    }
    wait_until("all is read", || balancer.metric("evenkeel_worker_leased_bytes", &[]) == 0.0);
    balancer.signal(Signal::INT);
    assert!(with_it.is_closed() && behind_it.is_closed(), "long before `stop_timeout`");
    assert!(balancer.wait_exit().success());
}
