//! The end of a TCP connection: its record, and what the client sees of it.

use model::{ConnectionEnd, Failure};
use net::Sys;
use observe::{Event, Fields};

use super::exchange::TcpExchange;
use crate::failed::Failed;

/// Writes the record. A connection that has reached no target is reset: bytes cannot say what is wrong.
pub(super) fn finish<S: Sys>(exchange: &mut TcpExchange<'_, S>, ended: Result<ConnectionEnd, Failed>) {
    let (end, detail) = match ended {
        Ok(end) => (end, ""),
        Err(Failed { failure, detail }) => {
            exchange.client.stream.abort_on_close();
            (ConnectionEnd::Failed(failure), detail)
        }
    };
    exchange.write_record(end, detail);
}

#[cold]
pub(super) fn tell_failed<S: Sys>(exchange: &TcpExchange<'_, S>, failure: Failure, detail: &'static str) {
    let (route, listener) = (&exchange.route, &exchange.listener);
    let group = route.group.and_then(|group| listener.group_name(group));
    let group = group.map(ToString::to_string).unwrap_or_default();
    let target = route.target.map(|target| target.to_string()).unwrap_or_default();
    let fields: Fields<'_> = &[
        ("listener", &listener.plan.name),
        ("group", &group),
        ("target", &target),
        ("attempts", &route.attempts),
        ("client", &exchange.source.address),
        ("detail", &detail),
    ];
    observe::failure_event(Event::ConnectionFailed, failure, fields);
}
