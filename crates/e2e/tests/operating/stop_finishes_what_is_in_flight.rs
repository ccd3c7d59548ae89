//! SIGTERM: the balancer accepts no more connections, closes idle ones, finishes requests in flight and exits
//! with code 0; at `stop_timeout` the rest is cut (OP4).

use std::net::TcpStream;
use std::sync::Mutex;
use std::time::Duration;

use testkit::{Balancer, Client, Config, Signal, Target, elapsed, ok, wait_until};

#[test]
fn stop_finishes_what_is_in_flight() {
    let (release, gate) = std::sync::mpsc::sync_channel(1);
    let gate = Mutex::new(gate);
    let target = Target::http(move |request| {
        if request.target() == "/slow" {
            gate.lock().unwrap().recv().unwrap();
        }
        ok("finished")
    });
    let mut balancer = Balancer::start(Config::to(&target).top("workers = 2"));
    let web = balancer.web();
    let (mut idle, mut busy) = (Client::connect(web), Client::connect(web));
    idle.get("/");
    busy.send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n");
    wait_until("the request is in flight", || target.requests().len() == 2);
    balancer.signal(Signal::TERM);
    assert!(idle.is_closed());
    wait_until("the port is closed", || TcpStream::connect(web).is_err());
    release.send(()).unwrap();
    let response = busy.response();
    assert_eq!((response.text().as_str(), response.field("connection")), ("finished", Some("close")));
    assert!(busy.is_closed());
    assert_eq!(balancer.wait_exit().code(), Some(0));
    assert_eq!(balancer.log_line("request_target", "/slow")["status"], 200);
}

#[test]
fn at_the_deadline_requests_are_cut() {
    for second_signal in [false, true] {
        let target = Target::http(|_| Vec::new());
        let timeout = if second_signal { "60s" } else { "1s" };
        let mut balancer = Balancer::start(Config::to(&target).top(&format!("stop_timeout = \"{timeout}\"")));
        let mut client = Client::connect(balancer.web());
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        wait_until("the request is in flight", || target.requests().len() == 1);
        balancer.signal(Signal::TERM);
        let time = elapsed(|| {
            // One that comes within half a second is the first one.
            while second_signal && !client.closes_within(Duration::from_millis(100)) {
                balancer.signal(Signal::TERM);
            }
            assert!(client.is_closed());
        });
        assert_eq!(balancer.wait_exit().code(), Some(0));
        assert!(time < Duration::from_secs(5), "{time:?}");
    }
}

/// `timeout` of GNU sends its signal to the process and to the process's group.
#[test]
fn two_signals_at_once_are_one() {
    let (release, gate) = std::sync::mpsc::sync_channel(1);
    let gate = Mutex::new(gate);
    let target = Target::http(move |_| {
        gate.lock().unwrap().recv().unwrap();
        ok("finished")
    });
    let mut balancer = Balancer::start(Config::to(&target));
    let mut busy = Client::connect(balancer.web());
    busy.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    wait_until("the request is in flight", || target.requests().len() == 1);
    balancer.signal(Signal::TERM);
    wait_until("the balancer is stopping", || balancer.stderr().contains("stopping"));
    balancer.signal(Signal::TERM);
    release.send(()).unwrap();
    assert_eq!(busy.response().text(), "finished");
    assert_eq!(balancer.wait_exit().code(), Some(0));
    assert!(!balancer.stderr().contains("second signal"), "{}", balancer.stderr());
}
