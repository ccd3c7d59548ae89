//! Certificate files that change while the balancer runs (CH3).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod broken_key_changes_nothing;
mod days_left_are_reported;
mod each_file_is_swapped_by_itself;
mod expired_certificate_holds_back_no_other;
mod renewed_file_is_swapped;
