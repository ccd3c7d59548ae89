//! What a target is told about the client (HTTP5).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod claims_are_removed;
mod conditions_see_what_targets_get;
mod empty_list_elements_say_nothing;
mod forwarded_fields_are_written;
mod max_forwards_counts_down;
mod request_id_is_generated_or_kept;
mod responses_carry_the_request_id;
mod spoofed_fields_are_removed;
mod trusted_proxy_is_believed;
mod via_names_each_balancer;
