//! What the admin API answers, as both of its ends read it. Fields are only added: programs depend on them.

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
    /// A graceful stop is under way.
    pub stopping: bool,
    /// The configuration file; `null` in the demo.
    pub config: Option<String>,
    pub last_reload: Option<ReloadView>,
    pub load_balancers: Vec<LoadBalancerView>,
    pub listeners: Vec<ListenerView>,
    pub groups: Vec<GroupView>,
}

impl StatusView {
    /// Whether nothing needs somebody's attention.
    pub fn is_fine(&self) -> bool {
        let failed = self.last_reload.as_ref().is_some_and(|reload| !reload.ok);
        !failed && !self.groups.iter().any(|group| group.fail_open)
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReloadView {
    /// RFC 3339, UTC.
    pub at: String,
    pub ok: bool,
    /// For people; `null` when it went well.
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
    /// Its own `max_connections`.
    pub connections_max: Option<u32>,
    /// Closed to make room for others, idle or behind a response.
    pub connections_evicted: u64,
    pub connections_refused: u64,
    /// New connections are left in the kernel's queue, because there is no place for them.
    pub waiting: bool,
    pub tunnels_open: i64,
    pub requests: u64,
    pub requests_in_flight: i64,
    /// Requests to which Evenkeel gave a 4xx or 5xx of its own.
    pub failures: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddressView {
    pub configured: String,
    /// With the port that the kernel chose where 0 is configured.
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
    /// Every check fails, so all targets are tried.
    pub fail_open: bool,
}

/// One of `GET /targets`
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetView {
    pub group: String,
    pub address: String,
    pub weight: u32,
    /// `unchecked`, `unknown`, `healthy` or `unhealthy`.
    pub health: String,
    /// RFC 3339, UTC: when `health` began; `null` without a check.
    pub since: Option<String>,
    /// Why the last failed probe failed.
    pub last_error: Option<String>,
    pub in_flight: u32,
    /// A connect failed a moment ago and requests go elsewhere.
    pub passed_over: bool,
    pub requests: u64,
    pub failures: u64,
}
