//! The JSON types of the admin API, for server and client. Fields are only added, because programs depend on
//! them.

use serde::{Deserialize, Serialize};

/// `GET /status`
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusView {
    pub version: String,
    pub pid: u32,
    /// RFC 3339, UTC.
    pub started: String,
    pub uptime_seconds: u64,
    pub generation: u64,
    pub workers: usize,
    /// A graceful stop is in progress.
    pub stopping: bool,
    /// The configuration file; `null` in the demo, or if it was read from a pipe.
    pub config: Option<String>,
    pub last_reload: Option<ReloadView>,
    #[serde(default)]
    pub certificates: CertificatesView,
    pub load_balancers: Vec<LoadBalancerView>,
    pub listeners: Vec<ListenerView>,
    pub groups: Vec<GroupView>,
    #[serde(default)]
    pub session_stores: Vec<SessionStoreView>,
    #[serde(default)]
    pub session_gateways: Vec<SessionGatewayView>,
    /// What needs an operator's attention; empty if all is well.
    #[serde(default)]
    pub problems: Vec<ProblemView>,
}

impl StatusView {
    /// Whether nothing needs an operator's attention.
    pub fn is_fine(&self) -> bool {
        self.problems.is_empty()
    }
}

/// Something that needs an operator's attention.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProblemView {
    pub what: String,
    /// A listener, target, group, file or key.
    #[serde(rename = "where")]
    pub place: String,
    /// What to do about it.
    #[serde(rename = "do")]
    pub remedy: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReloadView {
    /// RFC 3339, UTC.
    pub at: String,
    pub ok: bool,
    /// The error text; `null` after a success.
    pub error: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoadBalancerView {
    pub name: String,
    pub connections_open: u32,
    pub connections_max: Option<u32>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListenerView {
    pub name: String,
    pub bind: Vec<AddressView>,
    pub connections_open: i64,
    /// `max_connections` of the listener.
    pub connections_max: Option<u32>,
    /// Connections that were closed for new ones, while idle or after a response.
    pub connections_evicted: u64,
    pub connections_refused: u64,
    /// New connections stay in the accept queue, because the connection limit is reached.
    pub waiting: bool,
    pub tunnels_open: i64,
    /// A TCP connection counts as a request.
    pub requests: u64,
    pub requests_in_flight: i64,
    /// Requests that Evenkeel itself answered with a 4xx or 5xx, and TCP connections that failed.
    pub failures: u64,
    /// `null` without TLS.
    #[serde(default)]
    pub tls: Option<ListenerTlsView>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListenerTlsView {
    pub certificates: usize,
    /// RFC 3339, UTC: the earliest expiry of these certificates.
    pub soonest_not_after: Option<String>,
    /// Revoked certificates in the listener's CRLs; `null` without CRLs.
    pub crl_entries: Option<usize>,
    /// RFC 3339, UTC: the earliest `nextUpdate` of the CRLs.
    pub crl_next_update: Option<String>,
}

/// Certificates of all listeners.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertificatesView {
    pub served: usize,
    /// RFC 3339, UTC; `null` if no certificate is served.
    pub soonest_not_after: Option<String>,
    pub soonest_days_left: Option<i64>,
    /// The files with an expired certificate, each once, with the time of its end.
    #[serde(default)]
    pub expired: Vec<String>,
    /// Successful swaps of changed files.
    pub swaps: u64,
    pub swaps_failed: u64,
    /// The last hot swap, if it failed. The previous files are still in use.
    pub failed_swap: Option<SwapView>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SwapView {
    /// RFC 3339, UTC.
    pub at: String,
    /// For people.
    pub error: String,
}

/// An entry of `GET /certificates`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertificateView {
    pub listener: String,
    pub names: Vec<String>,
    pub subject: String,
    pub issuer: String,
    pub serial: String,
    /// SHA-256 of the certificate.
    pub fingerprint: String,
    pub path: String,
    /// RFC 3339, UTC: the earliest expiry in its chain.
    pub not_after: String,
    pub not_after_seconds: u64,
    /// Whole days until then; negative after it.
    pub days_left: i64,
}

impl CertificateView {
    /// Whether there is time to renew it.
    pub fn is_fine(&self) -> bool {
        self.days_left >= DAYS_LEFT_MIN
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddressView {
    pub configured: String,
    /// With the port that the kernel chose if 0 is configured.
    pub actual: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupView {
    pub name: String,
    pub targets: usize,
    pub healthy: usize,
    pub unhealthy: usize,
    /// Not probed yet.
    pub unknown: usize,
    /// Without a health check.
    pub unchecked: usize,
    /// All targets are unhealthy, so all are used.
    pub fail_open: bool,
}

/// A `[session_store.NAME]`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionStoreView {
    pub name: String,
    /// `memory`, `file`, `sql`, `memcached` or `redis`.
    #[serde(rename = "type")]
    pub kind: String,
    /// `serves`, `away`, `refuses` (it is full or read-only) or `not_open`.
    pub state: String,
    /// The last writes failed, though other calls succeed.
    #[serde(default)]
    pub writes_fail: bool,
    /// Also if the store has served since; `null`: there was none.
    pub last_error: Option<String>,
    pub last_error_seconds_ago: Option<u64>,
    /// Sessions that this process knows, and has room for.
    pub sessions: u64,
    pub sessions_max: u32,
    /// Calls for sessions and for items of session gateways.
    pub calls: u64,
    pub hits: u64,
    pub misses: u64,
    /// Calls that failed, or were not made because the store was left alone.
    pub errors: u64,
}

/// A `[session_gateway.NAME]`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionGatewayView {
    pub name: String,
    /// As configured.
    pub bind: String,
    /// Where it listens; `null`: it does not.
    pub address: Option<String>,
    /// Why it does not listen.
    pub trouble: Option<String>,
    pub store: String,
    pub cache: Option<String>,
    pub connections_open: u64,
    pub connections_max: u64,
    pub commands: u64,
    /// Commands that its store failed.
    pub errors: u64,
}

/// An entry of `GET /targets`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetView {
    pub group: String,
    pub address: String,
    pub weight: u32,
    /// `unchecked`, `unknown`, `healthy` or `unhealthy`.
    pub health: String,
    /// RFC 3339, UTC: when `health` began; `null` without a check.
    pub since: Option<String>,
    /// The error of the last failed probe.
    pub last_error: Option<String>,
    pub in_flight: u32,
    /// A recent connection attempt failed, so requests go to other targets.
    pub passed_over: bool,
    /// The last connection attempt failed, however long ago that was.
    #[serde(default)]
    pub last_connect_failed: bool,
    pub requests: u64,
    pub failures: u64,
    /// The last request that failed at this target; `null` if none did.
    #[serde(default)]
    pub last_failure: Option<FailureView>,
    /// Attempts of the last five minutes, and those of them that failed by the target's fault.
    #[serde(default)]
    pub recent_requests: u64,
    #[serde(default)]
    pub recent_failures: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailureView {
    /// The reason word, as in the access log.
    pub reason: String,
    pub detail: String,
    pub seconds_ago: u64,
    /// Requests that the target has served since.
    #[serde(default)]
    pub served_since: u64,
    /// What to check.
    pub hint: String,
}

/// Leaves time for a manual renewal, and means that an automatic renewal has been failing for some time.
const DAYS_LEFT_MIN: i64 = 14;
