//! Reads the head of a request, and takes from it what every later step needs.

use std::io;

use model::Failure;
use net::{Buffer, SMALL, Sys};
use proto::http1::Progress;

use super::exchange::Exchange;
use super::failure;
use super::request_id::RequestId;
use crate::decide::find_source;
use crate::failed::Failed;
use crate::io_error;

/// `false`: the client closed before it had sent anything, which is no request.
pub(super) async fn read_head<S: Sys>(
    exchange: &mut Exchange<'_, S>,
    input: &mut Buffer,
) -> Result<bool, Failed> {
    if !read(exchange, input).await? {
        return Ok(false);
    }
    let http = &exchange.listener.plan.http;
    let source = find_source(&http.trusted_proxies, &exchange.arrival, exchange.request());
    exchange.persists = exchange.heads.request.persists()
        && !http.keepalive_timeout.is_zero()
        && exchange.number < http.keepalive_requests
        && !exchange.client.bound.closing.get();
    exchange.is_read = true;
    exchange.record.phases.read_head = Some(exchange.micros_since(exchange.record.started));
    exchange.source = source;
    if source.is_trusted
        && let Some(id) = RequestId::of_proxy(exchange.request())
    {
        exchange.id = id;
    }
    Ok(true)
}

/// Reads until the head is complete. Its bytes move to the exchange, and what follows them stays in `input`.
async fn read<S: Sys>(exchange: &mut Exchange<'_, S>, input: &mut Buffer) -> Result<bool, Failed> {
    let client = exchange.client;
    client.end().read_within(exchange.listener.plan.http.header_timeout);
    loop {
        if !input.is_empty() {
            let limits = &exchange.listener.plan.http.limits;
            let parsed = exchange.heads.request.parse(input.bytes(), limits);
            match parsed? {
                Progress::Complete { head_bytes } => {
                    exchange.bytes = input.split_to(head_bytes).map_err(|_| Failure::LocalResources)?;
                    return Ok(true);
                }
                Progress::NeedMore => {}
            }
        }
        match client.stream.fill(input, SMALL).await {
            Ok(0) if is_blank(input) => return Ok(false),
            Ok(0) => return Err(Failure::ClientAborted.into()),
            Ok(_) => {}
            Err(error) => return on_error(&error, input),
        }
    }
}

fn on_error(error: &io::Error, input: &Buffer) -> Result<bool, Failed> {
    match error.kind() {
        _ if io_error::is_deadline(error) => Err(Failure::RequestHeadTimeout.into()),
        io::ErrorKind::FileTooLarge => Err(too_large(input)),
        io::ErrorKind::OutOfMemory => Err(Failure::LocalResources.into()),
        _ if is_blank(input) => Ok(false),
        _ => Err(failure::client_aborted(error)),
    }
}

/// The largest buffer is full: the head is too large, whatever the configured limits are.
fn too_large(input: &Buffer) -> Failed {
    let failure = if input.bytes().contains(&b'\n') {
        Failure::RequestFieldsTooLarge
    } else {
        Failure::RequestLineTooLong
    };
    Failed { failure, detail: "head larger than the largest buffer" }
}

/// Nothing has come, or only the empty line that is ignored (RFC 9112 §2.2).
fn is_blank(input: &Buffer) -> bool {
    input.bytes().iter().all(|&byte| matches!(byte, b'\r' | b'\n'))
}
