//! Choosing a target (BAL1, BAL2).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod dead_target_is_left_out;
mod fail_open_tries_all;
mod failed_connect_goes_to_the_next;
mod full_targets_are_left_out;
mod hash_is_stable;
mod least_connections_spreads_load;
mod probes_read_as_requests_do;
mod requests_follow_the_weights;
mod start_does_not_wait_for_checks;
