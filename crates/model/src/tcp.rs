//! What a listener has only if it passes bytes on, whatever they mean (L41).

use std::time::Duration;

use crate::{Action, Rule};

/// The service of a listener with `protocol = "tcp"` or `"tcp_ssl"`.
#[derive(Clone, Debug)]
pub struct TcpService {
    pub settings: TcpSettings,
    /// In the order of the file. Of their conditions only those on source, name and protocols can be set, and all forward.
    pub rules: Vec<Rule>,
    /// What happens when no rule matches; `None` is a reset.
    pub default_action: Option<Action>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TcpSettings {
    /// L43: 1–86 400 s without a byte in either direction.
    pub idle_timeout: Duration,
    /// For the ClientHello of a connection that is passed on with its TLS, where a rule asks for name or protocols.
    pub hello_timeout: Duration,
}

impl Default for TcpSettings {
    fn default() -> Self {
        Self { idle_timeout: Duration::from_secs(900), hello_timeout: Duration::from_secs(10) }
    }
}
