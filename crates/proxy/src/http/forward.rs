//! Writes the request for the target: the client's head with our edits, in the client's spelling and order.

use std::io;

use balance::rewrite_path;
use model::FieldEdits;
use net::{Buffer, Sys};
use proto::http1::{
    BodyLength, Field, Known, Method, Names, RequestHead, Span, TargetForm, Version, encode, token,
};

use super::Failed;
use super::abort::ClientWatch;
use super::attempt::{Destination, Upload};
use super::body::BodyWriter;
use super::forwarded;
use super::relay::{send_now, send_rest};
use super::request::Request;
use super::via;
use crate::connection::Client;
use crate::pool::TargetConnection;
use crate::stream::Stream;

/// How far a request had gone when sending it failed.
#[derive(Debug)]
pub(super) enum SendError {
    /// Not a byte was sent.
    Unsent(io::Error),
    Partly(io::Error),
    ClientGone(Failed),
}

/// Sends the head and what of the body is here; returns how many bytes. On a new connection this is also where the
/// connect is waited for.
pub(super) async fn send<S: Sys>(
    request: &Request<S>,
    client: &Client<S>,
    to: &Destination<'_, S>,
    connection: &TargetConnection<S>,
    upload: &mut Upload<'_>,
) -> Result<u64, SendError> {
    let (stream, timeouts) = (&connection.stream, to.group.plan.group.timeouts);
    let (worker, watch, is_whole) =
        (&request.proxy.worker, ClientWatch::new(request, client), upload.reader.is_complete());
    let plain = if upload.writer == BodyWriter::Plain { upload.first.bytes() } else { &[] };
    let (mut rest, mut sent) = {
        let mut out = request.proxy.scratch.borrow_mut();
        write(request, client, to, upload, &mut out);
        let sent = stream.try_write(&out, plain).map_err(SendError::Unsent)?;
        if sent == out.len() + plain.len() && stream.is_flushed() {
            return Ok(sent as u64);
        }
        (out.clone(), sent)
    };
    rest.extend_from_slice(plain);
    if sent == 0 && !connection.is_reused() {
        stream.set_write_deadline(worker.after(timeouts.connect));
        let connected = watch.unless_gone(stream.writable(), upload.input, is_whole).await;
        connected.map_err(SendError::ClientGone)?.map_err(SendError::Unsent)?;
        sent = stream.try_write(&rest, &[]).map_err(SendError::Unsent)?;
    }
    stream.set_write_deadline(worker.after(timeouts.idle));
    let mut nothing = Buffer::new();
    let written = send_rest(stream, &rest[sent..], &mut nothing);
    let written = watch.unless_gone(written, upload.input, is_whole).await;
    written.map_err(SendError::ClientGone)?.map_err(SendError::Partly)?;
    Ok(rest.len() as u64)
}

/// The head, and behind it the first chunk where the body is chunked.
fn write<S: Sys>(
    request: &Request<S>,
    client: &Client<S>,
    to: &Destination<'_, S>,
    upload: &Upload<'_>,
    out: &mut Vec<u8>,
) {
    out.clear();
    write_request_line(request, to, out);
    write_fields(request, client, to, out);
    out.extend_from_slice(b"\r\n");
    if upload.writer == BodyWriter::Chunked {
        if !upload.first.is_empty() {
            encode::write_chunk_head(out, upload.first.len() as u64);
            out.extend_from_slice(upload.first.bytes());
            out.extend_from_slice(b"\r\n");
        }
        if upload.reader.is_complete() {
            encode::write_last_chunk(out, upload.reader.trailers());
        }
    }
}

/// In origin-form (RFC 9112 §3.2.1), with the path that the rule rewrites or else as the client sent it.
fn write_request_line<S: Sys>(request: &Request<S>, to: &Destination<'_, S>, out: &mut Vec<u8>) {
    let head = request.head();
    let rule = &request.listener.plan.rules[to.rule];
    let (method, target) = (head.method_span(), head.target());
    if head.target_form() == TargetForm::Origin && rule.rewrite.is_none() {
        // There is one space between them.
        out.extend_from_slice(request.text(Span { start: method.start, end: target.end }));
        out.extend_from_slice(b" HTTP/1.1\r\n");
        return;
    }
    out.extend_from_slice(request.text(method));
    out.push(b' ');
    match &rule.rewrite {
        // The asterisk stands for the server, not for a path (RFC 9112 §3.2.4).
        _ if is_asterisk(head) => out.push(b'*'),
        Some(rewrite) => rewrite_path(rewrite, &rule.path, request.path(), out),
        None => {
            let path = request.text(head.path());
            out.extend_from_slice(if path.is_empty() { b"/" } else { path });
        }
    }
    if let Some(query) = head.query() {
        out.push(b'?');
        out.extend_from_slice(request.text(query));
    }
    out.extend_from_slice(b" HTTP/1.1\r\n");
}

/// Also an absolute target without a path, of an OPTIONS request.
fn is_asterisk(head: &RequestHead) -> bool {
    head.target_form() == TargetForm::Asterisk
        || (head.method() == Method::Options && head.path().is_empty() && head.query().is_none())
}

/// What is for the next hop only is left out first (RFC 9110 §7.6.1), then the rule's edits and our own fields are
/// made.
fn write_fields<S: Sys>(
    request: &Request<S>,
    client: &Client<S>,
    to: &Destination<'_, S>,
    out: &mut Vec<u8>,
) {
    let (head, bytes) = (request.head(), request.bytes.bytes());
    let edits = &request.listener.plan.rules[to.rule].request_fields;
    let is_upgrade = request.asks_for_websocket();
    write_host(request, to, edits, out);
    let is_length_plain = encode::is_plain_length(request.text(head.length_value()));
    match head.fields_together(ALWAYS_GO_ON) {
        Some(lines) if is_length_plain && edits.is_empty() && identity_fields(request).is_empty() => {
            out.extend_from_slice(request.text(lines));
        }
        _ => encode::copy_fields(out, bytes, head.fields(), |field| {
            (is_length_plain || !field.is(Known::ContentLength))
                && goes_on(request, field, is_upgrade)
                && !is_edited_or_alias(edits, field.name.of(bytes))
                && !claims_identity(request, field.name.of(bytes))
        }),
    }
    if !is_length_plain {
        encode::write_length(out, request.text(head.length_value()));
    }
    if is_upgrade {
        out.extend_from_slice(b"Connection: Upgrade\r\n");
    } else if head.te_trailers() {
        out.extend_from_slice(b"Connection: TE\r\nTE: trailers\r\n");
    }
    if head.body() == BodyLength::Chunked {
        out.extend_from_slice(b"Transfer-Encoding: chunked\r\n");
    }
    write_identity(request, out);
    forwarded::write(request, client, out);
    via::write(request, head.version(), request.is_stream, out);
    out.extend_from_slice(b"X-Request-Id: ");
    out.extend_from_slice(request.id());
    out.extend_from_slice(b"\r\n");
    write_edits(edits, out);
}

/// `Host` comes first (RFC 9110 §7.2). HTTP/1.0 may come without one; the authority of an absolute target decides,
/// and is what `Host` says.
fn write_host<S: Sys>(request: &Request<S>, to: &Destination<'_, S>, edits: &FieldEdits, out: &mut Vec<u8>) {
    if edits.set.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
        return;
    }
    let has_field = request.head().fields_of(Known::Host).next().is_some();
    if has_field {
        return;
    }
    out.extend_from_slice(b"Host: ");
    match request.head().host() {
        Some(host) => out.extend_from_slice(request.text(host)),
        None => out.extend_from_slice(to.target.live.key().address.to_string().as_bytes()),
    }
    out.extend_from_slice(b"\r\n");
}

/// What [`goes_on`] lets pass, whatever the request; where nothing else is known, all is copied in one go.
const ALWAYS_GO_ON: Names = Names::of(&[
    Known::Host,
    Known::Accept,
    Known::Cookie,
    Known::Referer,
    Known::UserAgent,
    Known::ContentLength,
]);

fn goes_on<S: Sys>(request: &Request<S>, field: &Field, is_upgrade: bool) -> bool {
    match field.known {
        Known::Other => !field.named_by_connection,
        Known::Claim => request.is_trusted && !field.alias && !field.named_by_connection,
        Known::Upgrade => is_upgrade && !field.alias,
        Known::XRequestId => false,
        Known::XForwardedFor
        | Known::XForwardedProto
        | Known::XForwardedHost
        | Known::XForwardedPort
        | Known::Forwarded => !field.alias && forwarded::keeps(request, field.known),
        // An alias of what decides the framing or the host means nothing to us and may mean something to a target.
        Known::Host | Known::ContentLength | Known::TransferEncoding if field.alias => false,
        // HTTP/1.0 cannot expect anything, and its request goes on as HTTP/1.1 (RFC 9110 §10.1.1).
        Known::Expect => request.head().version() == Version::Http11 && !field.alias,
        // Written anew where they are meant for the target.
        Known::TransferEncoding | Known::Te => false,
        _ => !field.is_hop_by_hop(),
    }
}

/// Whether a field says who the client is, which only we say (MT3).
fn claims_identity<S: Sys>(request: &Request<S>, name: &[u8]) -> bool {
    identity_fields(request).iter().any(|field| token::is_same_variable(field.as_bytes(), name))
}

fn identity_fields<S: Sys>(request: &Request<S>) -> &[String] {
    request.listener.plan.tls.as_ref().map_or(&[], |plan| &plan.identity_fields)
}

/// Who the client has proved to be, under the names that its host says (MT3).
fn write_identity<S: Sys>(request: &Request<S>, out: &mut Vec<u8>) {
    let Some(agreed) = &request.secured else { return };
    if let Some(rules) = &agreed.host.client {
        tls::write_headers(agreed.identity.as_ref(), &rules.auth.headers, out);
    }
}

/// Whether a response's field is edited away.
#[inline]
pub(super) fn is_edited(edits: &FieldEdits, name: &[u8]) -> bool {
    !edits.is_empty() && removes(edits, |edited| token::eq_ignore_case(edited, name))
}

/// Whether a request's field is edited away. What the operator takes from a client, it could else say with `_` for
/// `-` to a target that reads both as one.
#[inline]
fn is_edited_or_alias(edits: &FieldEdits, name: &[u8]) -> bool {
    !edits.is_empty() && removes(edits, |edited| token::is_same_variable(edited, name))
}

fn removes(edits: &FieldEdits, is: impl Fn(&[u8]) -> bool) -> bool {
    let mut set = edits.set.iter().map(|(name, _)| name);
    set.any(|name| is(name.as_bytes())) || edits.remove.iter().any(|name| is(name.as_bytes()))
}

pub(super) fn write_edits(edits: &FieldEdits, out: &mut Vec<u8>) {
    if edits.is_empty() {
        return;
    }
    for (name, value) in edits.set.iter().chain(&edits.add) {
        for part in [name.as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
            out.extend_from_slice(part);
        }
    }
}

/// Sends what `write` writes; the borrow of the worker's scratch ends before the wait.
pub(super) async fn send_scratch<S: Sys>(
    request: &Request<S>,
    to: &Stream<S>,
    write: impl FnOnce(&mut Vec<u8>),
) -> io::Result<()> {
    let rest = {
        let mut out = request.proxy.scratch.borrow_mut();
        out.clear();
        write(&mut out);
        send_now(to, &out, &mut Buffer::new())?
    };
    if rest.is_empty() && to.is_flushed() {
        return Ok(());
    }
    send_rest(to, &rest, &mut Buffer::new()).await
}
