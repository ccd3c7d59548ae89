//! What a rule says about WebSockets: who may open one, and what holds for it then (WS3).

use std::time::Duration;

use crate::OriginPattern;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebSocket {
    pub enabled: bool,
    /// Without a byte in either direction that long, the tunnel is closed. 1–86 400 s.
    pub idle_timeout: Duration,
    /// 1 s – 30 days.
    pub max_lifetime: Option<Duration>,
    /// Tunnels of the rule at a time, all workers together; at least 1.
    pub max_connections: Option<u32>,
    /// Empty: any origin, or none.
    pub allowed_origins: Vec<OriginPattern>,
    /// Empty: any subprotocol, or none.
    pub allowed_subprotocols: Vec<String>,
    /// How long a client is silent before it gets a Ping of ours. Shorter than `idle_timeout`.
    pub ping_interval: Option<Duration>,
    /// The status of the Close frames that end a tunnel when we have to; `None`: a plain close. A code that may be
    /// sent (RFC 6455 §7.4).
    pub drain_close_code: Option<u16>,
}

impl WebSocket {
    /// Whether we may have something to put between the frames of a tunnel.
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
