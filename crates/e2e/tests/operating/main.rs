//! Reloads, stops, logs and resource limits of a running balancer (OP3 and related).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod admin_over_tcp;
mod bad_config_changes_nothing;
mod blocked_stderr_stops_no_traffic;
mod bytes_are_counted;
mod check_refuses_bad_store_urls;
mod check_reports_all_that_run_refuses;
mod dead_group_is_told;
mod descriptors_run_out;
mod failed_grpc_calls_are_found_in_the_log;
mod failed_restart_changes_nothing;
mod flood_of_lines_is_counted;
mod full_log_disk_is_told;
mod killed_target_affects_only_its_requests;
mod log_is_reopened;
mod log_lines_have_phases;
mod logs_that_cannot_be_reopened_are_reported;
mod prometheus_scrapes;
mod refused_client_certificate_is_told;
mod reload_drops_nothing;
mod reload_of_a_pipe_is_refused;
mod restart_drops_nothing;
mod second_instance_is_refused;
mod sessions_are_listed;
mod status_names_what_is_wrong;
mod stop_finishes_what_is_in_flight;
mod strangers_cannot_hold_up_a_restart;
mod wire;
