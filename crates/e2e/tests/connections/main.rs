//! Idle connections: peers that vanish, and limits (KA9, KA10, KA11).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod active_connection_is_never_evicted;
mod close_keeps_the_response;
mod descriptor_limit_evicts_the_longest_idle;
mod full_listener_refuses;
mod held;
mod instance_limit_spans_listeners;
mod limit_is_exact;
mod live_peer_is_kept;
mod longest_idle_is_closed_first;
mod one_client_is_limited;
mod rebooted_client_is_closed;
mod reload_changes_the_limits;
mod silent_connection_is_evicted;
mod unacknowledged_client_is_closed;
mod vanished;
mod vanished_client_is_closed;
mod vanished_target_is_closed;
mod vanished_tunnel_is_closed;
