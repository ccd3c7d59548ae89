//! The lines about requests in the operators' log. Only what fails comes here.

use std::fmt::{self, Display};
use std::net::{IpAddr, SocketAddr};

use model::{ListenerName, TargetGroupName};
use observe::{Event, Fields};

use crate::failed::Failed;

/// What is told of a request that failed.
pub(super) struct FailedRequest<'r> {
    pub(super) failed: Failed,
    pub(super) status: u16,
    pub(super) listener: &'r ListenerName,
    pub(super) group: Option<&'r TargetGroupName>,
    pub(super) target: Option<SocketAddr>,
    pub(super) attempts: u32,
    pub(super) client: IpAddr,
    pub(super) id: &'r [u8],
}

#[cold]
pub(super) fn request_failed(request: &FailedRequest<'_>) {
    let fields: Fields<'_> = &[
        ("status", &request.status),
        ("listener", request.listener),
        ("group", &OrNone(request.group)),
        ("target", &OrNone(request.target)),
        ("attempts", &request.attempts),
        ("client", &request.client),
        ("request_id", &String::from_utf8_lossy(request.id)),
        ("detail", &request.failed.detail),
    ];
    observe::failure_event(Event::RequestFailed, request.failed.failure, fields);
}

/// Nothing where there is none.
struct OrNone<T>(Option<T>);

impl<T: Display> Display for OrNone<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_ref().map_or(Ok(()), |value| value.fmt(f))
    }
}
