//! Conformance with HTTP, row by row of `docs/http-conformance.md` (HTTP3, HTTP4).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod forwarded_requests_are_reparsed;
mod limits_are_exact;
mod oracle;
mod requests_meet_the_policy;
mod responses_meet_the_policy;
