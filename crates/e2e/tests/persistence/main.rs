//! Session persistence (SP1–SP10).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod address_goes_to_one_target;
mod closed_idle_connection_moves_nothing;
mod cookie_goes_to_one_target;
mod cookie_of_the_target_carries_the_route;
mod cookie_of_the_target_is_remembered;
mod cookies_of_others_are_not_touched;
mod dead_target_moves_its_sessions_once;
mod drained_target_keeps_its_sessions;
mod forged_cookies_steer_nothing;
mod lost_store_costs_no_request;
mod nodes_with_one_key_agree;
mod nodes_with_one_store_agree;
mod redis;
mod sessions_stay_if_the_store_is_away;
mod store_that_goes_away_is_told;
mod store_that_never_served_is_told;
mod unused_session_expires;
mod users;
