//! When a request is retried, and when it must not be (KA6).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod announced_idle_limit_is_believed;
mod closed_connection_is_not_reused;
mod hidden_idle_limit_is_learnt;
mod lost_get_is_retried;
mod possibly_received_post_is_not_retried;
