//! Connections before and between requests: peers that vanish, and limits.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod live_peer_is_kept;
mod rebooted_client_is_closed;
mod unacknowledged_client_is_closed;
mod vanished;
mod vanished_client_is_closed;
mod vanished_target_is_closed;
mod vanished_tunnel_is_closed;
