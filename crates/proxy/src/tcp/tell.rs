//! The lines about TCP connections in the operators' log. Only what fails comes here.

use std::net::{IpAddr, SocketAddr};

use model::{ListenerName, TargetGroupName};
use observe::{Event, Fields};

use crate::failed::Failed;

/// What is told of a connection that failed.
pub(super) struct FailedConnection<'c> {
    pub(super) failed: Failed,
    pub(super) listener: &'c ListenerName,
    pub(super) group: Option<&'c TargetGroupName>,
    pub(super) target: Option<SocketAddr>,
    pub(super) attempts: u32,
    pub(super) client: IpAddr,
}

#[cold]
pub(super) fn connection_failed(connection: &FailedConnection<'_>) {
    let group = connection.group.map(ToString::to_string).unwrap_or_default();
    let target = connection.target.map(|target| target.to_string()).unwrap_or_default();
    let fields: Fields<'_> = &[
        ("listener", connection.listener),
        ("group", &group),
        ("target", &target),
        ("attempts", &connection.attempts),
        ("client", &connection.client),
        ("detail", &connection.failed.detail),
    ];
    observe::failure_event(Event::ConnectionFailed, connection.failed.failure, fields);
}
