//! The WebSocket settings of a rule (WS3).

use std::time::Duration;

use crate::OriginPattern;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebSocket {
    pub enabled: bool,
    /// A tunnel with no byte in either direction for this time is closed. 1–86 400 s.
    pub idle_timeout: Duration,
    /// A tunnel that has been open for this time is closed. 1 s – 30 days.
    pub max_lifetime: Option<Duration>,
    /// Open tunnels of the rule, over all workers; at least 1.
    pub max_connections: Option<u32>,
    /// Empty: any origin, or none.
    pub allowed_origins: Vec<OriginPattern>,
    /// Empty: any subprotocol, or none.
    pub allowed_subprotocols: Vec<String>,
    /// We send a Ping to a client that has been silent for this time. Shorter than `idle_timeout`.
    pub ping_interval: Option<Duration>,
    /// The status code of the Close frames with which we end a tunnel; `None`: the connections are closed
    /// without Close frames. A code that may be sent (RFC 6455 §7.4).
    pub drain_close_code: Option<u16>,
}

impl WebSocket {
    /// Whether the tunnel must parse frames, because we may insert a Ping or Close between them.
    pub fn follows_frames(&self) -> bool {
        self.ping_interval.is_some() || self.drain_close_code.is_some()
    }
}

impl Default for WebSocket {
    fn default() -> Self {
        Self {
            enabled: true,
            idle_timeout: Duration::from_secs(60),
            max_lifetime: None,
            max_connections: None,
            allowed_origins: Vec::new(),
            allowed_subprotocols: Vec::new(),
            ping_interval: None,
            drain_close_code: None,
        }
    }
}
