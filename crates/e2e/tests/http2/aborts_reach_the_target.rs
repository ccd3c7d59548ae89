//! A reset stream closes its target's connection; other streams continue.

use std::time::Duration;

use h2::Reason;
use testkit::{Balancer, Config, Target, get, ok, wait_until};

use crate::{request, with};

#[test]
fn a_reset_ends_the_attempt() {
    let target = Target::script(|mut connection| {
        if connection.request()?.target() == "/quick" {
            return connection.send(testkit::ok("quick"));
        }
        connection.stall()
    });
    let balancer = Balancer::start(Config::to(&target));
    with(balancer.web(), async |mut connection| {
        let (response, mut sender) = connection.send(request("GET", "/slow"), true).await;
        tokio::time::timeout(Duration::from_millis(1), response).await.unwrap_err();
        let (mut requests, mut open) = (0, 0);
        while requests == 0 {
            tokio::task::yield_now().await;
            (requests, open) = (target.requests().len(), target.open());
        }
        assert_eq!(open, 1);
        sender.send_reset(Reason::CANCEL);
        assert_eq!(connection.get("/quick").await.1, "quick");
        drop(sender);
    });
    wait_until("the target's connection is closed", || target.open() == 0);
    let line = balancer.log_line("reason", "client_aborted");
    assert_eq!(line["status"], 499, "{line}");
}

/// A target that completes its response in time keeps its connection, and the time it had ends with that response.
#[test]
fn a_reset_limits_no_later_request() {
    let target = Target::script(|mut connection| {
        let mut wait = Duration::from_millis(200);
        while connection.request().is_ok() {
            assert!(!connection.closes_within(wait), "the request was cancelled");
            connection.send(ok("answered"))?;
            wait = Duration::from_millis(1_200);
        }
        Ok(())
    });
    let balancer = Balancer::start(Config::to(&target));
    with(balancer.web(), async |mut connection| {
        let (response, mut sender) = connection.send(request("GET", "/"), true).await;
        tokio::time::timeout(Duration::from_millis(1), response).await.unwrap_err();
        while target.requests().is_empty() {
            tokio::task::yield_now().await;
        }
        sender.send_reset(Reason::CANCEL);
        // The reset is written by the task of the connection.
        while balancer.metric("evenkeel_listener_client_aborts_total", &[]) == 0.0 {
            tokio::task::yield_now().await;
        }
        drop(sender);
    });
    assert_eq!(get(balancer.web(), "/").text(), "answered");
    assert_eq!(target.connections(), 1, "the connection is reused");
}
