//! The configuration after all checks, with inherited values filled in.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::{
    Admin, HealthCheck, Listener, LoadBalancer, Persistence, SessionGateway, SessionStore, TargetGroupName,
    TargetProtocol, TargetTls, TcpKeepalive,
};

#[derive(Clone, Debug)]
pub struct Config {
    /// Worker threads; `None` is one per core.
    pub workers: Option<u16>,
    /// How long a graceful stop waits for requests and tunnels in flight.
    pub stop_timeout: Duration,
    pub admin: Admin,
    /// In the order of the file; always includes `default`.
    pub load_balancers: Vec<LoadBalancer>,
    /// In the order of the file. A listener with `redirect_http` is followed by the listener that redirects,
    /// `NAME:redirect`.
    pub listeners: Vec<Listener>,
    /// In the order of the file; names are unique.
    pub target_groups: Vec<TargetGroup>,
    /// In the order of the file; names are unique.
    pub session_stores: Vec<SessionStore>,
    /// In the order of the file; names are unique, and their stores are among `session_stores`.
    pub session_gateways: Vec<SessionGateway>,
}

#[derive(Clone, Debug)]
pub struct TargetGroup {
    pub name: TargetGroupName,
    pub protocol: TargetProtocol,
    /// Only for protocols with TLS.
    pub tls: TargetTls,
    /// At least one; addresses are unique within the group.
    pub targets: Vec<Target>,
    pub algorithm: Algorithm,
    /// How the requests of one client find their target again; rules may say otherwise.
    pub persistence: Option<Arc<Persistence>>,
    pub health_check: Option<HealthCheck>,
    pub timeouts: TargetTimeouts,
    pub keepalive: TargetKeepalive,
    /// KA9: of connections to targets; `None` is off.
    pub tcp_keepalive: Option<TcpKeepalive>,
    /// L47: the PROXY header with which connections to targets begin. Only for TCP.
    pub proxy_protocol_out: Option<ProxyVersion>,
    /// Requests or TCP connections that each target may have in flight; `None`: no limit.
    pub max_connections: Option<u32>,
}

/// The version of a PROXY header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProxyVersion {
    V1,
    V2,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    pub address: SocketAddr,
    /// 0–1000; with 0 the target gets no new requests.
    pub weight: u32,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Algorithm {
    WeightedRoundRobin,
    LeastConnections,
    RandomTwo,
    SourceIpHash,
    Hash(HashKey),
}

/// What [`Algorithm::Hash`] hashes. A request without it is hashed by the client's address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HashKey {
    /// A header's name in lower case.
    Header(String),
}

/// BAL5.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TargetTimeouts {
    pub connect: Duration,
    /// Until the first byte of the response.
    pub response: Duration,
    /// Between two reads of the response, and between two writes of the request.
    pub idle: Duration,
}

impl Default for TargetTimeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(4),
            response: Duration::from_secs(60),
            idle: Duration::from_secs(60),
        }
    }
}

/// Idle connections to targets (KA5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TargetKeepalive {
    pub idle_timeout: Duration,
    /// Idle connections to one target, per worker; 0 keeps none.
    pub idle_max: u32,
}

impl Default for TargetKeepalive {
    fn default() -> Self {
        Self { idle_timeout: Duration::from_secs(60), idle_max: 512 }
    }
}
