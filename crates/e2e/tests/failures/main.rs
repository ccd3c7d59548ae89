//! What a client, an operator and the metrics see when something fails (HTTP2).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod case;
mod client_cases;
mod error_pages;
mod every_failure_is_provoked;
mod own_replies_keep_the_connection;
mod rule_edits_our_replies;
mod target_cases;
mod tls_cases;
mod websocket_cases;
