//! The end of a TCP connection: its record, and what the client sees of it.

use model::{ConnectionEnd, Failure};
use net::Sys;
use proto::client_hello::Alert;

use super::exchange::TcpExchange;
use crate::failed::Failed;

/// Writes the record. A connection that has reached no target is reset: bytes cannot say what is wrong. A TLS client whose
/// handshake has not begun is sent an alert instead; true: that was sent.
pub(super) fn finish<S: Sys>(
    exchange: &mut TcpExchange<'_, S>,
    ended: Result<ConnectionEnd, Failed>,
) -> bool {
    let mut is_told = false;
    let (end, detail) = match ended {
        Ok(end) => (end, ""),
        Err(Failed { failure, detail }) => {
            is_told = alert(exchange, failure).is_some_and(|alert| say(exchange, alert));
            if !is_told {
                exchange.client.stream.abort_on_close();
            }
            (ConnectionEnd::Failed(failure), detail)
        }
    };
    exchange.write_record(end, detail);
    is_told
}

/// The alert for a client whose ClientHello we have seen, and its target has not.
fn alert<S: Sys>(exchange: &TcpExchange<'_, S>, failure: Failure) -> Option<Alert> {
    exchange.hello.as_ref().map_or(exchange.alert, |_| match failure {
        Failure::TlsUnrecognizedName => Some(Alert::UnrecognizedName),
        Failure::TlsNoProtocol => Some(Alert::NoApplicationProtocol),
        _ => None,
    })
}

/// False: the socket does not take it, which is new and empty.
fn say<S: Sys>(exchange: &TcpExchange<'_, S>, alert: Alert) -> bool {
    let record = alert.record();
    exchange.client.stream.try_write(&record, &[]).is_ok_and(|count| count == record.len())
}
