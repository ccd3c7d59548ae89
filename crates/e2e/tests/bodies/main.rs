//! Bodies of messages, both ways (HTTP3, KA3).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod chunked_body_both_ways;
mod content_length_both_ways;
mod early_response_is_read;
mod expect_continue_is_passed;
mod large_body_arrives_unchanged;
mod pausing_target_does_not_cut_the_client;
mod responses_without_a_body;
mod slow_reader_causes_backpressure;
mod stall_after_expect_is_the_clients;
mod truncated_spliced_body_ends_both_sides;
mod unknown_length_is_delimited;
