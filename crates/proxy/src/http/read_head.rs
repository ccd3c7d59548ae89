//! Reads the head of a request, and takes from it what everything else needs.

use std::io;

use net::{Buffer, SMALL, Sys};
use proto::http1::{Known, Progress, RequestHead, Version};

use super::request::{Request, RequestId};
use super::{Failed, failure, forwarded};
use crate::connection::Client;
use crate::io_error;
use model::Failure;

/// `false`: the client closed before it had sent anything, which is no request.
pub(super) async fn read_head<S: Sys>(
    request: &mut Request<S>,
    client: &Client<S>,
    input: &mut Buffer,
) -> Result<bool, Failed> {
    if !read(request, client, input).await? {
        return Ok(false);
    }
    let http = &request.listener.plan.http;
    let head = &request.heads.request;
    request.persists = head.persists()
        && !http.keepalive_timeout.is_zero()
        && request.number < http.keepalive_requests
        && !client.bound.closing.get();
    request.is_read = true;
    request.phases.read_head = Some(request.micros_since(request.started));
    forwarded::find_source(request);
    if request.is_trusted {
        take_id(request);
    }
    Ok(true)
}

/// Reads until the head is complete; its bytes move to the request, and `input` keeps what follows them.
async fn read<S: Sys>(
    request: &mut Request<S>,
    client: &Client<S>,
    input: &mut Buffer,
) -> Result<bool, Failed> {
    let listener = std::rc::Rc::clone(&request.listener);
    let http = &listener.plan.http;
    client.stream.set_read_deadline(client.proxy.worker.after(http.header_timeout));
    loop {
        if !input.is_empty() {
            let parsed = request.heads.request.parse(input.bytes(), &http.limits);
            match parsed.map_err(|error| Failed { failure: error.failure, detail: error.detail })? {
                Progress::Complete { head_bytes } => {
                    request.bytes = input.split_to(head_bytes).map_err(|_| Failure::LocalResources)?;
                    return Ok(true);
                }
                Progress::NeedMore => {}
            }
        }
        match client.stream.fill(input, SMALL).await {
            Ok(0) if is_blank(input) => return Ok(false),
            Ok(0) => return Err(Failure::ClientAborted.into()),
            Ok(_) => {}
            Err(error) => return nothing_or(&error, input),
        }
    }
}

fn nothing_or(error: &io::Error, input: &Buffer) -> Result<bool, Failed> {
    match error.kind() {
        _ if io_error::is_deadline(error) => Err(Failure::RequestHeadTimeout.into()),
        io::ErrorKind::FileTooLarge => Err(too_large(input)),
        io::ErrorKind::OutOfMemory => Err(Failure::LocalResources.into()),
        _ if is_blank(input) => Ok(false),
        _ => Err(failure::client_aborted(error)),
    }
}

/// The largest buffer is full: whatever the configured limits say, this head is too large.
fn too_large(input: &Buffer) -> Failed {
    let failure = if input.bytes().contains(&b'\n') {
        Failure::RequestFieldsTooLarge
    } else {
        Failure::RequestLineTooLong
    };
    Failed { failure, detail: "head larger than the largest buffer" }
}

/// Nothing has come, or only the empty line that is forgiven.
fn is_blank(input: &Buffer) -> bool {
    input.bytes().iter().all(|&byte| matches!(byte, b'\r' | b'\n'))
}

/// A trusted proxy's request id goes on, if it can stand in a log and a field.
fn take_id<S: Sys>(request: &mut Request<S>) {
    let span = request.head().fields_of(Known::XRequestId).next().map(|field| field.value);
    if let Some(span) = span.filter(|span| (1..=ID_BYTES_MAX).contains(&span.len()))
        && request.text(span).iter().all(u8::is_ascii_graphic)
    {
        request.id = RequestId::Theirs(span);
    }
}

/// Whether a response to this request may be chunked.
pub(super) fn takes_chunks(head: &RequestHead) -> bool {
    head.version() == Version::Http11
}

// limit: bytes of a request id that is believed.
const ID_BYTES_MAX: usize = 128;
