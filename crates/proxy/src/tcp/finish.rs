//! The end of a TCP connection: its record, and what the client sees of it.

use model::ConnectionEnd;
use net::Sys;

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
