//! Targets that end their connections, gracefully or not.

use std::sync::mpsc;
use std::sync::{Arc, Mutex};

use testkit::{Balancer, Http2Client, Http2Target, get, h2, ok, wait_until};

use crate::h2c;

/// After a GOAWAY, streams in flight end normally and new ones use another connection: no request is lost.
#[test]
fn goaway_loses_nothing() {
    let (release, held) = mpsc::sync_channel::<()>(1);
    let held = Mutex::new(held);
    let target = Arc::new(Http2Target::script(move |mut exchange| {
        if exchange.request.target() == "/slow" {
            held.lock().unwrap().recv().unwrap();
        }
        exchange.respond(200, &[])?;
        exchange.send("done")?;
        exchange.end()
    }));
    let balancer = Balancer::start(h2c(&[&target]));
    let mut client = Http2Client::connect(balancer.web());
    let mut slow = client.request("POST", "/slow", &[]);
    slow.end().unwrap();
    wait_until("the target has the request", || !target.requests().is_empty());
    target.go_away();
    release.send(()).unwrap();
    assert_eq!(slow.response().text(), "done");
    for _ in 0..50 {
        assert_eq!(client.exchange("POST", "/", &[], b"body").text(), "done");
    }
    assert!(target.connections() >= 2, "{}", target.connections());
}

/// The connection is lost while the target has the request: the client gets an error, and the next request is
/// served.
#[test]
fn a_lost_connection_is_replaced() {
    let target = Http2Target::script(|mut exchange| {
        if exchange.request.target() == "/broken" {
            exchange.reset(h2::Reason::INTERNAL_ERROR);
            return Ok(());
        }
        exchange.respond(200, &[])?;
        exchange.end()
    });
    let balancer = Balancer::start(h2c(&[&target]));
    assert_eq!(get(balancer.web(), "/").status(), 200);
    let answer = get(balancer.web(), "/broken");
    assert_eq!((answer.status(), answer.reason().as_str()), (502, "target_closed_before_response"));
    // Only the stream ended, and the target may have acted on the request.
    assert_eq!(target.requests().len(), 2);
    assert_eq!(get(balancer.web(), "/").status(), 200);
    assert_eq!(target.connections(), 1);
}

/// A truncated response must not look complete.
#[test]
fn a_truncated_response_is_cut_off() {
    let (read, seen) = mpsc::sync_channel::<()>(1);
    let seen = Mutex::new(seen);
    let target = Http2Target::script(move |mut exchange| {
        exchange.respond(200, &[])?;
        exchange.send("part")?;
        seen.lock().unwrap().recv().unwrap();
        exchange.reset(h2::Reason::INTERNAL_ERROR);
        Ok(())
    });
    let balancer = Balancer::start(h2c(&[&target]));
    let mut client = Http2Client::connect(balancer.web());
    let mut stream = client.request("GET", "/", &[]);
    stream.end().unwrap();
    let mut message = stream.head().unwrap();
    assert_eq!(stream.read_exactly(4), b"part");
    read.send(()).unwrap();
    let error = stream.finish(&mut message).unwrap_err();
    assert!(error.is_reset(), "{error}");
}

/// A client that aborts resets its stream; the connection is kept.
#[test]
fn an_abort_resets_the_stream() {
    let (seen, resets) = mpsc::sync_channel(1);
    let seen = Mutex::new(seen);
    let target = Http2Target::script(move |mut exchange| {
        if exchange.request.target() == "/wait" {
            let reason = exchange.wait_reset()?;
            seen.lock().unwrap().send(reason).unwrap();
            return Ok(());
        }
        exchange.respond(200, &[])?;
        exchange.end()
    });
    let balancer = Balancer::start(h2c(&[&target]));
    let mut client = Http2Client::connect(balancer.web());
    let stream = client.request("POST", "/wait", &[]);
    wait_until("the target has the request", || !target.requests().is_empty());
    stream.reset(h2::Reason::CANCEL);
    assert_eq!(resets.recv_timeout(testkit::PATIENCE).unwrap(), h2::Reason::CANCEL);
    assert_eq!(client.get("/").status(), 200);
    assert_eq!(target.connections(), 1);
}

#[test]
fn a_reload_may_change_the_protocol() {
    let target = Http2Target::http(|_| ok("two"));
    let plain = testkit::Target::named("one");
    let balancer = Balancer::start(h2c(&[&target]));
    assert_eq!(get(balancer.web(), "/").text(), "two");
    balancer.reload(testkit::Config::to(&plain)).unwrap();
    assert_eq!(get(balancer.web(), "/").text(), "one");
    wait_until("its connections have ended", || {
        balancer.metric("evenkeel_target_connections_open", &[]) <= 1.0
    });
}
