//! The time that a target has for the response to a client that is gone ends with that response. The connection is then
//! reused without it.

use std::time::Duration;

use testkit::{Balancer, Client, Config, Target, get, ok, wait_until};

use crate::{GET, LONG, nothing_is_left};

/// Answers the first request after `first`, and each further one on the connection after `later`.
fn slow(first: Duration, later: Duration) -> Target {
    Target::script(move |mut connection| {
        let mut wait = first;
        while connection.request().is_ok() {
            assert!(!connection.closes_within(wait), "the request was cancelled");
            connection.send(ok("answered"))?;
            wait = later;
        }
        Ok(())
    })
}

#[test]
fn an_ignored_abort_limits_no_later_request() {
    let target = slow(LONG, Duration::from_millis(1_800));
    let config =
        Config::to(&target).listener("client_abort = \"ignore\"").group("timeouts = { idle = \"1s\" }");
    let balancer = Balancer::start(config);
    let mut client = Client::connect(balancer.web());
    client.send(GET);
    wait_until("it is in flight", || target.requests().len() == 1);
    client.reset();
    assert_eq!(balancer.log_line("reason", "client_aborted")["status"], 499);
    let response = get(balancer.web(), "/");
    assert_eq!((response.status(), response.text().as_str()), (200, "answered"));
    assert_eq!(target.connections(), 1, "the connection is reused");
    nothing_is_left(&balancer);
}
