//! The configuration after all checks, with inherited values filled in.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::{
    AccessLists, Action, Cidr, Compression, ConnectionLimits, HealthCheck, Http2, HttpLimits, ListenerName,
    ListenerTls, LoadBalancer, LoadBalancerName, Rule, TargetGroupName, TargetProtocol, TargetTls,
    TcpKeepalive, WhenFull,
};

#[derive(Clone, Debug)]
pub struct Config {
    /// Worker threads; `None` is one per core.
    pub workers: Option<u16>,
    /// How long a graceful stop waits for requests and tunnels in flight.
    pub stop_timeout: Duration,
    /// The admin API's Unix socket; `None` is the default path.
    pub admin_socket: Option<PathBuf>,
    /// In the order of the file; always includes `default`.
    pub load_balancers: Vec<LoadBalancer>,
    /// In the order of the file. A listener with `redirect_http` is followed by the listener that redirects,
    /// `NAME:redirect`.
    pub listeners: Vec<Listener>,
    /// In the order of the file; names are unique.
    pub target_groups: Vec<TargetGroup>,
}

#[derive(Clone, Debug)]
pub struct Listener {
    pub name: ListenerName,
    /// One of [`Config::load_balancers`].
    pub load_balancer: LoadBalancerName,
    /// The listener's own limits. Those of its load balancer apply as well.
    pub connections: ConnectionLimits,
    /// At least one; no address is bound twice in one config.
    pub bind: Vec<SocketAddr>,
    /// `protocol = "https"`.
    pub tls: Option<ListenerTls>,
    pub http: HttpSettings,
    /// In the order of the file.
    pub rules: Vec<Rule>,
    /// What happens when no rule matches; `None` is 404.
    pub default_action: Option<Action>,
}

/// Settings that a listener inherits from its load balancer and may override.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpSettings {
    /// KA1: 0–3600 s; zero means that every response closes.
    pub keepalive_timeout: Duration,
    /// KA8: 1–10 000 000.
    pub keepalive_requests: u32,
    /// KA12: for the whole head.
    pub header_timeout: Duration,
    /// KA12: between two reads of a body.
    pub body_timeout: Duration,
    /// KA12: between two writes to the client.
    pub send_timeout: Duration,
    /// KA9: of clients' connections; `None` is off.
    pub tcp_keepalive: Option<TcpKeepalive>,
    /// KA10: what happens to a new connection when the listener or its load balancer is at its connection
    /// limit.
    pub when_full: WhenFull,
    pub limits: HttpLimits,
    pub forwarded: ForwardedHeaders,
    /// Peers whose `X-Forwarded-*`, `Forwarded` and `X-Request-Id` are trusted.
    pub trusted_proxies: Vec<Cidr>,
    pub client_abort: ClientAbort,
    /// Our own name in `Via`; a token.
    pub via: Option<String>,
    /// Peers that must send a PROXY header, which is trusted (L47).
    pub proxy_protocol: Vec<Cidr>,
    pub access: AccessLists,
    pub error_pages: Vec<ErrorPage>,
    pub compression: Option<Compression>,
    pub access_log: Option<AccessLog>,
    pub http2: Http2,
}

impl Default for HttpSettings {
    fn default() -> Self {
        Self {
            keepalive_timeout: Duration::from_secs(75),
            keepalive_requests: 10_000,
            header_timeout: Duration::from_secs(60),
            body_timeout: Duration::from_secs(60),
            send_timeout: Duration::from_secs(60),
            tcp_keepalive: Some(TcpKeepalive::default()),
            when_full: WhenFull::Wait,
            limits: HttpLimits::default(),
            forwarded: ForwardedHeaders::default(),
            trusted_proxies: Vec::new(),
            client_abort: ClientAbort::Cancel,
            via: None,
            proxy_protocol: Vec::new(),
            access: AccessLists::default(),
            error_pages: Vec::new(),
            compression: None,
            access_log: None,
            http2: Http2::default(),
        }
    }
}

/// What happens to a request when its client disconnects (KA7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientAbort {
    /// The target's connection is closed at once.
    Cancel,
    /// The request goes on; its response is read and discarded.
    Ignore,
}

/// Which forwarding headers are sent to targets (HTTP5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ForwardedHeaders {
    /// `X-Forwarded-For`, `-Proto`, `-Host`, `-Port`.
    pub x_forwarded: bool,
    /// `Forwarded` (RFC 7239).
    pub forwarded: bool,
}

impl Default for ForwardedHeaders {
    fn default() -> Self {
        Self { x_forwarded: true, forwarded: false }
    }
}

/// An operator's page for error responses that we generate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorPage {
    pub statuses: StatusSet,
    pub content_type: String,
    pub body: Arc<[u8]>,
}

/// A set of status codes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusSet {
    /// Inclusive ranges, ascending.
    pub ranges: Vec<(u16, u16)>,
}

impl StatusSet {
    pub fn contains(&self, status: u16) -> bool {
        self.ranges.iter().any(|&(first, last)| (first..=last).contains(&status))
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

#[derive(Clone, Debug)]
pub struct TargetGroup {
    pub name: TargetGroupName,
    pub protocol: TargetProtocol,
    /// Only for protocols with TLS.
    pub tls: TargetTls,
    /// At least one; addresses are unique within the group.
    pub targets: Vec<Target>,
    pub algorithm: Algorithm,
    pub health_check: Option<HealthCheck>,
    pub timeouts: TargetTimeouts,
    pub keepalive: TargetKeepalive,
    /// KA9: of connections to targets; `None` is off.
    pub tcp_keepalive: Option<TcpKeepalive>,
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
