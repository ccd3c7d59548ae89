//! Metrics of HTTP/2 connections with clients.

use crate::Counter;

/// The reasons for which a client's connection is ended, in the words of `proto::http2::meter`.
pub const HTTP2_FAULTS: [&str; 13] = [
    "reset_flood",
    "continuation_flood",
    "head_too_large",
    "settings_flood",
    "ping_flood",
    "empty_data_flood",
    "priority_flood",
    "window_update_flood",
    "other_frame_flood",
    "frame_size",
    "window",
    "stream_closed",
    "push",
];

/// Connections ended for a fault of the client, by the index of the reason in [`HTTP2_FAULTS`].
#[derive(Debug, Default)]
pub struct Http2Faults([Counter; HTTP2_FAULTS.len()]);

impl Http2Faults {
    pub fn count(&self, reason: &str) {
        let place = HTTP2_FAULTS.iter().position(|known| *known == reason);
        if let Some(counter) = place.and_then(|place| self.0.get(place)) {
            counter.increment();
        }
    }

    pub fn read(&self, reason: &str) -> u64 {
        HTTP2_FAULTS
            .iter()
            .zip(&self.0)
            .find(|(known, _)| **known == reason)
            .map_or(0, |(_, cell)| cell.read())
    }
}
