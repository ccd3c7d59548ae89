//! Ends of connections with TLS on both sides: idle timeouts, half-closes and aborts (KA1, KA7).

use testkit::{Authority, Target, ok, response, wait_until};

use crate::{https_both, server, start_with};

#[test]
fn an_idle_client_is_closed_with_close_notify() {
    let root = Authority::new("Root");
    let target = Target::https(&server(&root), |_| ok("one"));
    let balancer = start_with(&root, https_both(&target).listener("keepalive_timeout = \"1s\""));
    let mut client = balancer.tls_client("web").connect();
    assert_eq!(client.get("/").text(), "one");
    // A read of 0 bytes without an error means that `close_notify` was received.
    assert_eq!(client.read().unwrap(), b"");
}

#[test]
fn the_last_request_may_half_close() {
    let root = Authority::new("Root");
    let target = Target::https(&server(&root), |_| ok("one"));
    let balancer = start_with(&root, https_both(&target));
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
    let balancer = start_with(&root, https_both(&target));
    for is_reset in [true, false] {
        let mut client = balancer.tls_client("web").connect();
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        wait_until("the request is in flight", || target.open() == 1);
        if is_reset {
            client.reset();
        } else {
            drop(client);
        }
        wait_until("the request is cancelled", || target.open() == 0);
    }
    wait_until("both requests are logged", || balancer.log_lines().len() == 2);
    assert!(balancer.log_lines().iter().all(|line| line["reason"] == "client_aborted"));
}

/// Neither records nor `close_notify` behind the last request make the close a reset, which would destroy the tail of the
/// response. It ends with our `close_notify`, although the socket has no room for that when the exchange is over.
#[test]
fn what_comes_behind_the_last_request_does_not_cut_its_response() {
    const LENGTH: usize = 180_000;
    let root = Authority::new("Root");
    let target = Target::https(&server(&root), |_| response(200, "", &"x".repeat(LENGTH)));
    let balancer = start_with(&root, https_both(&target));
    for behind in ["\r\n", "GET /2 HTTP/1.1\r\nHost: a\r\n\r\n", ""] {
        let logged = balancer.log_lines().len();
        let mut client = balancer.tls_client("web").connect();
        client.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        client.head().unwrap();
        if behind.is_empty() {
            client.notify_close();
        } else {
            client.send(behind);
        }
        wait_until("the exchange is over", || balancer.log_lines().len() > logged);
        assert_eq!(client.read_exactly(LENGTH).len(), LENGTH, "{behind:?}");
        assert_eq!(client.read().unwrap(), b"", "no close_notify after {behind:?}");
    }
}
