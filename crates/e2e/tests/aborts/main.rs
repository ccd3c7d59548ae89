//! Clients that go away while their request is in flight (KA7).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod abandoned_request_limits_no_other;
mod aborted_request_is_cancelled;
mod ignored_abort_lets_the_request_finish;
mod last_request_may_half_close;

use std::time::Duration;

use testkit::{Balancer, wait_until};

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

/// Longer than it takes to notice an abort.
const LONG: Duration = Duration::from_millis(1_500);

/// Waits until no request, connection or attempt is counted any more.
fn nothing_is_left(balancer: &Balancer) {
    wait_until("all gauges are 0", || {
        let gauges = [
            "evenkeel_listener_requests_in_flight",
            "evenkeel_listener_connections_open",
            "evenkeel_target_requests_in_flight",
        ];
        gauges.iter().all(|gauge| balancer.metric(gauge, &[]) == 0.0)
    });
    assert_eq!(balancer.targets()[0]["in_flight"], 0);
}
