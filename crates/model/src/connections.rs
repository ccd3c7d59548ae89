//! What holds for connections before any request is read.

use std::time::Duration;

/// How a peer that vanished without a word is found out (KA9).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TcpKeepalive {
    /// 1–32 767 s of silence until the first probe.
    pub idle: Duration,
    /// 1–32 767 s between two probes.
    pub interval: Duration,
    /// 1–127; after as many without an answer the connection is lost.
    pub probes: u8,
}

impl Default for TcpKeepalive {
    fn default() -> Self {
        Self { idle: Duration::from_secs(7200), interval: Duration::from_secs(75), probes: 10 }
    }
}
