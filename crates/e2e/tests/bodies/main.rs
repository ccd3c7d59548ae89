//! Bodies of messages, both ways (HTTP3, KA3).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod chunked_body_both_ways;
mod content_length_both_ways;
mod early_response_is_read;
mod expect_continue_is_passed;
mod large_body_is_unharmed;
mod pausing_target_cuts_nobody;
mod responses_without_a_body;
mod slow_reader_holds_the_sender_back;
mod spliced_body_breaks_off;
mod unknown_length_is_delimited;
