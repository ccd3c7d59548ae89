//! The settings of an active health check (BAL2).

use std::time::Duration;

use crate::StatusSet;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthCheck {
    pub kind: CheckKind,
    pub interval: Duration,
    pub timeout: Duration,
    /// Successes in a row that make a target healthy.
    pub healthy: u32,
    /// Failures in a row that make it unhealthy.
    pub unhealthy: u32,
    /// The port to probe; `None` is the target's own.
    pub port: Option<u16>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CheckKind {
    /// Healthy if the target accepts a connection.
    Tcp,
    /// `GET path` with this `Host` (`None`: the target's address) must answer with one of these codes. `is_tls`: secured as
    /// the group's connections are.
    Http { is_tls: bool, path: String, host: Option<String>, expected: StatusSet },
}
