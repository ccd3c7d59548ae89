//! What an operator configured, after every check; inherited values are already in place.

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
    /// How long a graceful stop waits for what is in flight.
    pub stop_timeout: Duration,
    /// The admin API's Unix socket; `None` is the default place.
    pub admin_socket: Option<PathBuf>,
    /// In the order of the file; `default` is always there.
    pub load_balancers: Vec<LoadBalancer>,
    /// In the order of the file. One with `redirect_http` is followed by the one that redirects, `NAME:redirect`.
    pub listeners: Vec<Listener>,
    /// In the order of the file; names are unique.
    pub target_groups: Vec<TargetGroup>,
}

#[derive(Clone, Debug)]
pub struct Listener {
    pub name: ListenerName,
    /// One of [`Config::load_balancers`].
    pub load_balancer: LoadBalancerName,
    /// Its own, beside those of its load balancer.
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

/// Settings of a listener that its load balancer gives and the listener may override.
#[derive(Clone, Debug)]
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
    /// KA10: when the listener or its load balancer has all the connections that it may have.
    pub when_full: WhenFull,
    pub limits: HttpLimits,
    pub forwarded: ForwardedHeaders,
    /// Peers whose `X-Forwarded-*`, `Forwarded` and `X-Request-Id` are believed.
    pub trusted_proxies: Vec<Cidr>,
    pub client_abort: ClientAbort,
    /// The name that `Via` gets; a token.
    pub via: Option<String>,
    /// Peers that owe a PROXY header, which is believed (L47).
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

/// What becomes of a request whose client goes away (KA7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientAbort {
    /// The target's connection is closed at once.
    Cancel,
    /// The target finishes; its response is thrown away.
    Ignore,
}

/// Which forwarded headers a target gets (HTTP5).
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

/// An operator's own page for statuses that we make.
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
    /// Of a protocol with TLS.
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
    /// 0–1000; 0 takes no new work.
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

/// What [`Algorithm::Hash`] hashes; where a request does not have it, the client's address is used.
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
