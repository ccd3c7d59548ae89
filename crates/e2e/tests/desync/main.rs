//! One message is never read as two, a response comes whole, and an end comes when it should: what a hostile reading
//! of the code had found.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod begun_response_does_not_end_in_silence;
mod body_is_skipped_once;
mod early_answer_is_read_by_the_client;
mod gauge_follows_its_listener;
mod large_own_page_is_whole;
mod malformed_chunk_data_is_not_a_request;
mod only_websocket_is_switched_to;
mod request_at_the_door_is_served;
mod silent_connection_does_not_hold_a_stop;
mod unfinished_upload_is_not_pooled;
mod upload_longer_than_response_timeout;

use std::fs;

use testkit::{Client, wait_until};

/// Waits until an upload goes no further: what the kernel holds of it, by `/proc/net/tcp`, stays the same.
fn wait_until_it_rests(client: &Client) {
    let port = format!(":{:04X} ", client.address().port());
    let queued = || -> Vec<String> {
        let table = fs::read_to_string("/proc/net/tcp").unwrap();
        let rows = table.lines().filter(|row| row.contains(&port));
        rows.filter_map(|row| row.split_whitespace().nth(4).map(str::to_owned)).collect()
    };
    let (mut last, mut same) = (Vec::new(), 0);
    wait_until("the upload rests", || {
        let now = queued();
        same = if now == last { same + 1 } else { 0 };
        last = now;
        same == 4
    });
}
