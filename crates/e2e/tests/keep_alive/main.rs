//! Persistent connections (KA).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod connection_close_is_honoured;
mod empty_line_begins_no_request;
mod hop_by_hop_fields_are_stripped;
mod http10_closes_unless_asked;
mod idle_client_is_closed;
mod keepalive_requests_are_counted;
mod listener_overrides_its_load_balancer;
mod pipelined_requests_are_answered_in_order;
mod pool_is_shared_by_clients;
mod reload_changes_the_idle_timeout;
mod target_that_closes_keeps_the_client;
mod thousands_of_requests_are_pipelined;
