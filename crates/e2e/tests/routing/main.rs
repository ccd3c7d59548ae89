//! Rules and actions with the real binary (HTTP1); the table itself is tested in crate `balance`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod conditions_choose_the_rule;
mod edited_names_do_not_trail;
mod empty_segments_do_not_hide_a_path;
mod encoded_semicolons_do_not_hide_a_path;
mod encoded_slashes_are_passed;
mod headers_are_edited;
mod hidden_separators_are_refused;
mod path_parameters_do_not_hide_a_path;
mod paths_are_rewritten;
mod redirects_and_fixed_responses;
mod scheme_is_redirected;
mod slash_is_added;
mod too_many_readings_are_refused;
mod underscores_do_not_evade_conditions;
mod weighted_groups_share_requests;
