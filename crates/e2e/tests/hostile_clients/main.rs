//! Hostile or broken clients (HTTP3, HTTP4, KA12).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod malformed_bodies_are_refused;
mod malformed_heads_are_refused;
mod min_rate_ends_slow_bodies;
mod slow_clients_are_timed_out;
mod slow_reader_is_closed;
mod smuggled_requests_are_refused;
