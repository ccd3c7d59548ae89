//! A listener, and the settings that it has with every service.

use std::net::SocketAddr;
use std::path::PathBuf;

use crate::{
    AccessLists, Action, Cidr, ConnectionLimits, HttpService, ListenerName, ListenerTls, LoadBalancerName,
    Rule, TcpKeepalive, TcpService, WhenFull,
};

#[derive(Clone, Debug)]
pub struct Listener {
    pub name: ListenerName,
    /// One of [`Config::load_balancers`](crate::Config::load_balancers).
    pub load_balancer: LoadBalancerName,
    /// The listener's own limits. Those of its load balancer apply as well.
    pub connections: ConnectionLimits,
    /// At least one; no address is bound twice in one config.
    pub bind: Vec<SocketAddr>,
    /// `protocol = "https"` and `"tcp_ssl"`.
    pub tls: Option<ListenerTls>,
    pub settings: ListenerSettings,
    pub service: Service,
}

/// What a listener does with its connections.
#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "there are as many as listeners")]
pub enum Service {
    Http(HttpService),
    Tcp(TcpService),
}

impl Service {
    /// In the order of the file.
    pub fn rules(&self) -> &[Rule] {
        match self {
            Self::Http(http) => &http.rules,
            Self::Tcp(tcp) => &tcp.rules,
        }
    }

    pub fn rules_mut(&mut self) -> &mut [Rule] {
        match self {
            Self::Http(http) => &mut http.rules,
            Self::Tcp(tcp) => &mut tcp.rules,
        }
    }

    /// What happens when no rule matches.
    pub fn default_action(&self) -> Option<&Action> {
        match self {
            Self::Http(http) => http.default_action.as_ref(),
            Self::Tcp(tcp) => tcp.default_action.as_ref(),
        }
    }

    pub fn is_tcp(&self) -> bool {
        matches!(self, Self::Tcp(_))
    }

    /// `None`: it is another service.
    pub fn http(&self) -> Option<&HttpService> {
        match self {
            Self::Http(http) => Some(http),
            Self::Tcp(_) => None,
        }
    }
}

/// Settings of any service that a listener inherits from its load balancer and may override.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenerSettings {
    /// KA9: of clients' connections; `None` is off.
    pub tcp_keepalive: Option<TcpKeepalive>,
    /// KA10: what happens to a new connection when the listener or its load balancer is at its connection
    /// limit.
    pub when_full: WhenFull,
    /// Peers that must send a PROXY header, which is trusted (L47).
    pub proxy_protocol: Vec<Cidr>,
    pub access: AccessLists,
    pub access_log: Option<AccessLog>,
}

impl Default for ListenerSettings {
    fn default() -> Self {
        Self {
            tcp_keepalive: Some(TcpKeepalive::default()),
            when_full: WhenFull::Wait,
            proxy_protocol: Vec::new(),
            access: AccessLists::default(),
            access_log: None,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AccessLog {
    pub path: LogPath,
    pub format: LogFormat,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum LogPath {
    File(PathBuf),
    /// Written `-`.
    Stdout,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LogFormat {
    Text,
    Json,
}
