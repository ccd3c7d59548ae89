//! A listener, and the settings that it has with every service.

use std::net::SocketAddr;
use std::path::PathBuf;

use crate::{
    AccessLists, Cidr, ConnectionLimits, HttpService, ListenerName, ListenerTls, LoadBalancerName,
    TcpKeepalive, WhenFull,
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
    /// `protocol = "https"`.
    pub tls: Option<ListenerTls>,
    pub settings: ListenerSettings,
    pub service: Service,
}

/// What a listener does with its connections. TCP and UDP will be variants of their own.
#[derive(Clone, Debug)]
pub enum Service {
    Http(HttpService),
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
