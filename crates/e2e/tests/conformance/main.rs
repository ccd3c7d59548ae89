//! What HTTP says and what we do: `docs/http-conformance.md`, row by row (HTTP3, HTTP4).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod forwarded_requests_are_reparsed;
mod limits_are_exact;
mod oracle;
mod requests_meet_the_policy;
mod responses_meet_the_policy;
