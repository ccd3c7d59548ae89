//! Ends of connections: idle ones, halves, aborts and a stop, with TLS on both sides (KA1, KA7, OP4).

use std::sync::Mutex;
use std::sync::mpsc::sync_channel;

use testkit::{Authority, Balancer, Config, Signal, Target, TlsServer, ok, wait_until};

fn config(target: &Target) -> Config {
    let config = Config::to(target).https(&["site.pem"]).top("workers = 2");
    config.group("protocol = \"https\"").group("tls = { ca = \"ca.pem\" }")
}

fn start(config: &Config, root: &Authority) -> Balancer {
    Balancer::prepare(config)
        .file("site.pem", &root.leaf(&[]).issue().pem())
        .file("ca.pem", &root.pem())
        .start()
}

fn server(root: &Authority) -> TlsServer {
    TlsServer::new(&root.leaf(&[]).issue())
}

#[test]
fn an_idle_client_is_closed_politely() {
    let root = Authority::new("Root");
    let target = Target::https(&server(&root), |_| ok("one"));
    let balancer = start(&config(&target).listener("keepalive_timeout = \"1s\""), &root);
    let mut client = balancer.tls_client("web").connect();
    assert_eq!(client.get("/").text(), "one");
    // Neither an error nor a bare end: `close_notify`.
    assert_eq!(client.read().unwrap(), b"");
}

#[test]
fn the_last_request_may_half_close() {
    let root = Authority::new("Root");
    let target = Target::https(&server(&root), |_| ok("one"));
    let balancer = start(&config(&target), &root);
    for client in [balancer.tls_client("web").tls12(), balancer.tls_client("web").tls13()] {
        let mut client = client.connect();
        client.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        client.half_close();
        assert_eq!(client.response().text(), "one");
        assert_eq!(client.read().unwrap(), b"");
    }
}

#[test]
fn an_abort_cancels_the_request() {
    let root = Authority::new("Root");
    let target = Target::tls(&server(&root), |mut connection| {
        connection.request()?;
        connection.stall()
    });
    let balancer = start(&config(&target), &root);
    for is_reset in [true, false] {
        let mut client = balancer.tls_client("web").connect();
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        wait_until("it is in flight", || target.open() == 1);
        if is_reset {
            client.reset();
        } else {
            drop(client);
        }
        wait_until("it is cancelled", || target.open() == 0);
    }
    wait_until("both are logged", || balancer.log_lines().len() == 2);
    assert!(balancer.log_lines().iter().all(|line| line["reason"] == "client_aborted"));
}

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
    let mut balancer = start(&config(&target), &root);
    let (mut idle, mut busy) = (balancer.tls_client("web").connect(), balancer.tls_client("web").connect());
    idle.get("/");
    busy.send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n");
    wait_until("it is in flight", || target.requests().len() == 2);
    balancer.signal(Signal::TERM);
    assert!(idle.is_closed());
    release.send(()).unwrap();
    let response = busy.response();
    assert_eq!((response.text().as_str(), response.field("connection")), ("finished", Some("close")));
    assert_eq!(busy.read().unwrap(), b"");
    assert_eq!(balancer.wait_exit().code(), Some(0));
}

/// Every request that a reload meets is answered.
#[test]
fn reloads_lose_nothing() {
    let root = Authority::new("Root");
    let target = Target::https(&server(&root), |_| ok("one"));
    let config = config(&target);
    let balancer = start(&config, &root);
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
