//! One message is never read as two, responses are complete, and connections end when they should. These cases
//! were found by reading the code as an attacker would.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod body_is_skipped_once;
mod connection_gauge_survives_a_renamed_listener;
mod early_response_to_an_upload_is_read;
mod large_generated_page_is_complete;
mod malformed_chunk_data_is_not_a_request;
mod only_websocket_upgrades_are_passed;
mod request_received_before_a_stop_is_served;
mod response_begun_before_a_stop_allows_one_more_request;
mod silent_connection_does_not_delay_a_stop;
mod unfinished_upload_is_not_pooled;
mod upload_longer_than_response_timeout;

use std::fs;

use testkit::{Client, wait_until};

/// Waits until an upload is blocked: the bytes that the kernel buffers for it, by `/proc/net/tcp`, stay the
/// same.
fn wait_until_upload_blocks(client: &Client) {
    let port = format!(":{:04X} ", client.address().port());
    let queued = || -> Vec<String> {
        let table = fs::read_to_string("/proc/net/tcp").unwrap();
        let rows = table.lines().filter(|row| row.contains(&port));
        rows.filter_map(|row| row.split_whitespace().nth(4).map(str::to_owned)).collect()
    };
    let (mut last, mut same) = (Vec::new(), 0);
    wait_until("the upload is blocked", || {
        let now = queued();
        same = if now == last { same + 1 } else { 0 };
        last = now;
        same == 4
    });
}
