//! Sends the request to the target: its head, and the part of the body that came with it.

use std::io;

use model::TargetTimeouts;
use net::{Buffer, Sys};
use proto::http1::encode;

use super::abort::ClientWatch;
use super::at_target::Destination;
use super::exchange::Exchange;
use super::upload::Upload;
use crate::compose::{CookieEdit, RequestComposer};
use crate::failed::Failed;
use crate::relay::{self, BodyWriter};
use crate::target::TargetConnection;

/// How far a request had gone when sending it failed.
#[derive(Debug)]
pub(super) enum SendError {
    /// Not a byte was sent.
    Unsent(io::Error),
    Partly(io::Error),
    ClientGone(Failed),
}

/// A request as far as the socket took it without a wait.
pub(super) enum Begun {
    /// All of it was sent.
    Sent,
    /// What was to be sent, and how much of it was.
    Partly(Vec<u8>, usize),
}

/// Sends what the socket takes without a wait. Apart from [`send_rest`], so that the common case makes no future.
pub(super) fn begin<S: Sys>(
    exchange: &Exchange<'_, S>,
    to: Destination<'_, S>,
    connection: &TargetConnection<S>,
    upload: &Upload<'_>,
) -> Result<Begun, SendError> {
    let stream = &connection.stream;
    let plain = if upload.writer == BodyWriter::Plain { upload.first.bytes() } else { &[] };
    let mut out = exchange.client.proxy.scratch.borrow_mut();
    write(exchange, to, upload, &mut out);
    let sent = stream.try_write(&out, plain).map_err(SendError::Unsent)?;
    if sent == out.len() + plain.len() && stream.is_flushed() {
        return Ok(Begun::Sent);
    }
    Ok(Begun::Partly([&out, plain].concat(), sent))
}

/// Sends the rest of `all`, of which `sent` bytes are sent. A new connection is established
/// here, by the wait of the first write.
pub(super) async fn send_rest<S: Sys>(
    exchange: &Exchange<'_, S>,
    timeouts: TargetTimeouts,
    connection: &TargetConnection<S>,
    upload: &mut Upload<'_>,
    (all, mut sent): (Vec<u8>, usize),
) -> Result<(), SendError> {
    let (target, watch, is_whole) = (connection.end(), ClientWatch::new(exchange), upload.is_whole());
    let stream = target.stream;
    if sent == 0 && !connection.is_reused() {
        target.write_within(timeouts.connect);
        let connected = watch.unless_gone(stream.writable(), upload.input, is_whole).await;
        connected.map_err(SendError::ClientGone)?.map_err(SendError::Unsent)?;
        sent = stream.try_write(&all, &[]).map_err(SendError::Unsent)?;
    }
    target.write_within(timeouts.idle);
    let mut nothing = Buffer::new();
    let written = relay::send_rest(stream, &all[sent..], &mut nothing);
    let written = watch.unless_gone(written, upload.input, is_whole).await;
    written.map_err(SendError::ClientGone)?.map_err(SendError::Partly)
}

/// Writes the head, and behind it the first chunk if the body is chunked.
fn write<S: Sys>(exchange: &Exchange<'_, S>, to: Destination<'_, S>, upload: &Upload<'_>, out: &mut Vec<u8>) {
    out.clear();
    let plan = &exchange.listener.plan;
    let composer = RequestComposer {
        plan,
        rule: &plan.rules[to.rule],
        arrival: &exchange.arrival,
        source: exchange.source,
        request: exchange.request(),
        path: exchange.path(),
        id: exchange.id(),
        target: to.target.live.key().address,
        cookies: exchange.session.as_ref().map_or(CookieEdit::Nothing, |session| session.cookie_edit()),
    };
    composer.write(out);
    if upload.writer == BodyWriter::Chunked {
        if !upload.first.is_empty() {
            encode::write_chunk_head(out, upload.first.len() as u64);
            out.extend_from_slice(upload.first.bytes());
            out.extend_from_slice(b"\r\n");
        }
        if upload.is_whole() {
            encode::write_last_chunk(out, &upload.reader.trailers());
        }
    }
}
