//! Neither a stop nor a reload loses a request over TLS (OP3, OP4).

use std::net::TcpStream;
use std::sync::Mutex;
use std::sync::mpsc::sync_channel;

use testkit::{Authority, Signal, Target, TlsClient, ok, wait_until};

use crate::{https_both, server, start_with};

#[test]
fn a_stop_loses_nothing() {
    let root = Authority::new("Root");
    let (release, gate) = sync_channel(1);
    let gate = Mutex::new(gate);
    let target = Target::https(&server(&root), move |request| {
        if request.target() == "/slow" {
            gate.lock().unwrap().recv().unwrap();
        }
        ok("finished")
    });
    let mut balancer = start_with(&root, https_both(&target).top("workers = 2"));
    let web = balancer.web();
    let (mut idle, mut busy) = (TlsClient::to(web).connect(), TlsClient::to(web).connect());
    idle.get("/");
    busy.send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n");
    wait_until("the request is in flight", || target.requests().len() == 2);
    balancer.signal(Signal::TERM);
    assert!(idle.is_closed());
    wait_until("the port is closed", || TcpStream::connect(web).is_err());
    release.send(()).unwrap();
    let response = busy.response();
    assert_eq!((response.text().as_str(), response.field("connection")), ("finished", Some("close")));
    assert_eq!(busy.read().unwrap(), b"");
    assert_eq!(balancer.wait_exit().code(), Some(0));
}

/// Every request during a reload is answered.
#[test]
fn reloads_lose_nothing() {
    let root = Authority::new("Root");
    let target = Target::https(&server(&root), |_| ok("one"));
    let config = https_both(&target).top("workers = 2");
    let balancer = start_with(&root, &config);
    let tls = balancer.tls_client("web");
    std::thread::scope(|scope| {
        let reloads = scope.spawn(|| {
            for _ in 0..10 {
                balancer.write("site.pem", &root.leaf(&[]).issue().pem());
                balancer.reload(&config).unwrap();
            }
        });
        let mut client = tls.connect();
        while !reloads.is_finished() {
            assert_eq!((client.get("/").status(), tls.connect().get("/").status()), (200, 200));
        }
    });
}
