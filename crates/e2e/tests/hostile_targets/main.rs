//! Hostile or broken targets (HTTP2, HTTP3).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod broken_heads_are_502;
mod early_answers_are_not_pooled;
mod endless_responses_are_bounded;
mod extra_bytes_between_responses_are_dropped;
mod incomplete_bodies_cut_the_client;
mod interim_responses_are_bounded;
mod late_bodies_are_not_served;
mod words_of_targets_stay_out_of_the_log;
