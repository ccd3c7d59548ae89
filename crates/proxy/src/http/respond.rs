//! Reads the target's response and relays it to the client.

use std::cell::Cell;
use std::io;

use model::{Failure, FieldEdits, Limits};
use net::{Buffer, LARGE, Sys, Ticks};
use observe::MadeBy;
use proto::compression::HeadEdits;
use proto::http1::{Field, Known, Names, Progress, ResponseBody, Version, encode, token};

use super::abort::{self, ClientWatch, is_ignored};
use super::attempt::{Destination, UploadState};
use super::body::{BodyFault, BodyReader, BodyWriter};
use super::compress::Lease;
use super::relay::{Flow, FlowError, coalesce, send, send_now, send_rest};
use super::request::Request;
use super::{Failed, compress, failure, forward, read_head, via, websocket};
use crate::connection::Client;
use crate::io_error;
use crate::pool::TargetConnection;

/// How an exchange ended, seen from the target's connection.
pub(super) enum Ended {
    Reusable,
    Closed,
    /// The client went away, and the target was let finish.
    Aborted {
        failed: Failed,
        is_reusable: bool,
    },
    /// It is a tunnel now; these bytes came behind the 101.
    Tunnel {
        from_target: Buffer,
    },
}

/// The final response, or the tunnel, after any interim ones.
pub(super) async fn respond<S: Sys>(
    request: &mut Request<S>,
    client: &Client<S>,
    to: &Destination<'_, S>,
    connection: &TargetConnection<S>,
    state: &Cell<UploadState>,
) -> Result<Ended, Failed> {
    let sent = request.proxy.worker.now();
    let mut input = Buffer::new();
    for _ in 0..=Limits::INTERIM_RESPONSES_MAX {
        let head_bytes = read(request, to, connection, &mut input, sent, state).await?;
        let status = request.heads.response.status();
        match status {
            101 => return switch(request, client, to, input, head_bytes, state).await,
            100..=199 => pass_interim(request, client, &mut input, head_bytes).await?,
            _ => {
                request.lease = None;
                to.target.cells().responses.count(status);
                return relay(request, client, to, connection, input, head_bytes, state).await;
            }
        }
    }
    Err(Failed { failure: Failure::TargetResponseMalformed, detail: "too many interim responses" })
}

/// Reads a head; `input` then holds it and what followed.
async fn read<S: Sys>(
    request: &mut Request<S>,
    to: &Destination<'_, S>,
    connection: &TargetConnection<S>,
    input: &mut Buffer,
    sent: u64,
    state: &Cell<UploadState>,
) -> Result<usize, Failed> {
    let stream = &connection.stream;
    let timeouts = to.group.plan.group.timeouts;
    let worker = request.proxy.worker.clone();
    // While the body goes up it is not the target's turn, unless the client waits for its word.
    let is_awaited = state.get() != UploadState::Going;
    stream.set_read_deadline(if is_awaited { worker.after(timeouts.response) } else { Ticks::NEVER });
    request.heads.response.clear();
    loop {
        if !input.is_empty() {
            if request.phases.respond.is_none() {
                let micros = request.micros_since(sent);
                request.phases.respond = Some(micros);
                to.target.cells().respond.record(micros);
                to.target.learn_response(micros);
            }
            let limits = &request.listener.plan.http.limits;
            let parsed = request.heads.response.parse(input.bytes(), limits);
            match parsed.map_err(|error| Failed { failure: error.failure, detail: error.detail })? {
                Progress::Complete { head_bytes } => return Ok(head_bytes),
                Progress::NeedMore => stream.set_read_deadline(worker.after(timeouts.idle)),
            }
        }
        match stream.fill(input, LARGE).await {
            Ok(0) if input.is_empty() => return Err(Failure::TargetClosedBeforeResponse.into()),
            Ok(0) => {
                return Err(Failed {
                    failure: Failure::TargetResponseMalformed,
                    detail: "closed within the head",
                });
            }
            Ok(count) => to.target.cells().received_bytes.add(count as u64),
            Err(error) => return Err(on_read_head(&error, input.is_empty())),
        }
    }
}

fn on_read_head(error: &io::Error, is_first: bool) -> Failed {
    match error.kind() {
        _ if io_error::is_deadline(error) => Failure::TargetResponseTimeout.into(),
        io::ErrorKind::FileTooLarge => Failure::TargetResponseFieldsTooLarge.into(),
        io::ErrorKind::OutOfMemory => Failure::LocalResources.into(),
        io::ErrorKind::InvalidData => {
            Failed { failure: Failure::TargetResponseMalformed, detail: "not what HTTP/2 allows" }
        }
        _ if is_first => {
            Failed { failure: Failure::TargetClosedBeforeResponse, detail: io_error::detail(error, "") }
        }
        _ => Failed {
            failure: Failure::TargetResponseMalformed,
            detail: io_error::detail(error, "reset within the head"),
        },
    }
}

/// An interim response goes on to a client that can understand it (RFC 9110 §15.2).
async fn pass_interim<S: Sys>(
    request: &mut Request<S>,
    client: &Client<S>,
    input: &mut Buffer,
    head_bytes: usize,
) -> Result<(), Failed> {
    if read_head::takes_chunks(request.head()) {
        // The upload may end the wait below with a failure.
        request.is_in_interim = true;
        client.stream.set_write_deadline(client.proxy.worker.after(request.listener.plan.http.send_timeout));
        let sent = forward::send_scratch(request, &client.stream, |out| {
            write_status_line(request, input, out);
            copy_fields(request, input, out, |field| {
                !field.is_hop_by_hop() && field.known != Known::ContentLength
            });
            via::write(request, request.heads.response.version(), false, out);
            out.extend_from_slice(b"\r\n");
        });
        match sent.await.map_err(|error| failure::on_send_to_client(&error)) {
            Err(failed) if !is_ignored(request, client, failed) => return Err(failed),
            // What it can still be sent is tried with the final response.
            _ => request.is_in_interim = false,
        }
    }
    input.consume(head_bytes);
    Ok(())
}

/// A 101 to a request that asked for it (RFC 9110 §7.8). Not a byte of the tunnel has moved before.
async fn switch<S: Sys>(
    request: &mut Request<S>,
    client: &Client<S>,
    to: &Destination<'_, S>,
    mut input: Buffer,
    head_bytes: usize,
    state: &Cell<UploadState>,
) -> Result<Ended, Failed> {
    if !request.asks_for_websocket() {
        return Err(Failure::TargetUpgradeUnasked.into());
    }
    let is_websocket = |field: &Field| token::eq_ignore_case(field.value.of(input.bytes()), b"websocket");
    let head = &request.heads.response;
    if !(head.upgrade()
        && head.fields_of(Known::Upgrade).all(is_websocket)
        && state.get() == UploadState::Done)
    {
        return Err(Failed {
            failure: Failure::TargetUpgradeUnasked,
            detail: "101 to another protocol, or too early",
        });
    }
    if !websocket::may_switch(request, to.rule, input.bytes()) {
        return Err(Failed {
            failure: Failure::TargetUpgradeUnasked,
            detail: "101 with a subprotocol that was not offered or is not allowed",
        });
    }
    answered(request, 101);
    client.stream.set_write_deadline(client.proxy.worker.after(request.listener.plan.http.send_timeout));
    let sent = forward::send_scratch(request, &client.stream, |out| {
        write_status_line(request, &input, out);
        copy_fields(request, &input, out, |field| {
            field.is(Known::Upgrade) || !(field.is_hop_by_hop() || field.known == Known::ContentLength)
        });
        via::write(request, request.heads.response.version(), false, out);
        out.extend_from_slice(b"Connection: Upgrade\r\n\r\n");
    });
    sent.await.map_err(|error| failure::on_send_to_client(&error))?;
    input.consume(head_bytes);
    Ok(Ended::Tunnel { from_target: input })
}

pub(super) fn answered<S: Sys>(request: &mut Request<S>, status: u16) {
    request.status = status;
    request.made_by = MadeBy::Target;
    request.is_answered = true;
}

/// Sends the response's head, with what of the body is here, and then the rest.
async fn relay<S: Sys>(
    request: &mut Request<S>,
    client: &Client<S>,
    to: &Destination<'_, S>,
    connection: &TargetConnection<S>,
    mut input: Buffer,
    head_bytes: usize,
    state: &Cell<UploadState>,
) -> Result<Ended, Failed> {
    let began = request.proxy.worker.now();
    let head = &request.heads.response;
    let body = head.body_length(request.head().method());
    let target_persists = head.persists() && body != ResponseBody::UntilClose;
    head.keep_alive_timeout().into_iter().for_each(|seconds| to.target.learn_timeout(seconds));
    let choice = compress::choose(request, to.rule, &input, body);
    let writer = match choice.lease {
        Some(_) => BodyWriter::Chunked,
        None => frame_for_client(request, body),
    };
    // The target answered before it had the whole request: what of it is still to come goes nowhere, and a client that
    // waits for 100 Continue may not even send it.
    request.persists &= state.get() == UploadState::Done;
    request.persists = request.persists && !client.is_last();
    let mut reader = BodyReader::of_response(body);
    let watch = ClientWatch::new(request, client);
    let result = if watch.is_ignored() && watch.is_gone() {
        input.consume(head_bytes);
        Err(watch.failed())
    } else {
        let edits = choice.edits;
        let delivery = Delivery { request: &mut *request, client, to, connection, body, writer, edits };
        delivery.run(choice.lease, &mut input, head_bytes, &mut reader).await
    };
    if request.coding.is_none() {
        request.response_body_bytes = reader.bytes;
    }
    request.phases.relay = Some(request.micros_since(began));
    let aborted = result.err().filter(|&failed| is_ignored(request, client, failed));
    match aborted {
        Some(_) => Box::pin(abort::discard(request, client, to, connection, &mut input, &mut reader)).await,
        None => result?,
    }
    // invariant: only what has its whole request, written and not merely read, may have another.
    let is_reusable =
        target_persists && reader.is_complete() && input.is_empty() && state.get() == UploadState::Done;
    Ok(match aborted {
        Some(failed) => Ended::Aborted { failed, is_reusable },
        None if is_reusable => Ended::Reusable,
        None => Ended::Closed,
    })
}

/// How the client gets the body. Only HTTP/1.1 knows chunks; where neither chunks nor a length can tell the end, the
/// connection's end does (RFC 9112 §6.3, KA3).
fn frame_for_client<S: Sys>(request: &mut Request<S>, body: ResponseBody) -> BodyWriter {
    match body {
        ResponseBody::None | ResponseBody::Length(_) => BodyWriter::Plain,
        _ if read_head::takes_chunks(request.head()) => BodyWriter::Chunked,
        ResponseBody::Chunked | ResponseBody::UntilClose => {
            request.persists = false;
            BodyWriter::Plain
        }
    }
}

/// A final response on its way to the client.
pub(super) struct Delivery<'a, 'b, S: Sys> {
    pub(super) request: &'a mut Request<S>,
    pub(super) client: &'a Client<S>,
    pub(super) to: &'a Destination<'b, S>,
    pub(super) connection: &'a TargetConnection<S>,
    body: ResponseBody,
    writer: BodyWriter,
    edits: HeadEdits,
}

impl<S: Sys> Delivery<'_, '_, S> {
    async fn run(
        mut self,
        lease: Option<Box<Lease<S>>>,
        input: &mut Buffer,
        head_bytes: usize,
        reader: &mut BodyReader,
    ) -> Result<(), Failed> {
        self.client.is_dismissed.set(!self.request.persists);
        if let Some(lease) = lease {
            // Boxed, so that requests without it do not carry its state.
            return Box::pin(compress::run(self, lease, input, head_bytes, reader)).await;
        }
        let listener = std::rc::Rc::clone(&self.request.listener);
        let http = &listener.plan.http;
        let client = self.client;
        client.stream.set_write_deadline(client.proxy.worker.after(http.send_timeout));
        let (rest, mut data, behind) = self.send_first(input, head_bytes, reader)?;
        let is_sent = rest.is_empty() && data.is_empty() && behind.is_empty();
        if !(is_sent && client.stream.is_flushed()) {
            let written = send_rest(&client.stream, &rest, &mut data).await;
            written.map_err(|error| failure::on_send_to_client(&error))?;
            let written = send(&client.stream, &behind, &mut Buffer::new()).await;
            written.map_err(|error| failure::on_send_to_client(&error))?;
        }
        if reader.is_complete() {
            return Ok(());
        }
        let flow = Flow {
            from: &self.connection.stream,
            to: &client.stream,
            input,
            reader,
            writer: self.writer,
            limits: &http.limits,
            read_timeout: self.to.group.plan.group.timeouts.idle,
            write_timeout: http.send_timeout,
        };
        flow.run().await.map_err(on_relay)
    }

    /// Head and first data go in one write. Returns what did not go at once: the rest of the head, the data, and what
    /// frames the data's end.
    fn send_first(
        &mut self,
        input: &mut Buffer,
        head_bytes: usize,
        reader: &mut BodyReader,
    ) -> Result<(Vec<u8>, Buffer, Vec<u8>), Failed> {
        let proxy = std::rc::Rc::clone(&self.request.proxy);
        let mut out = proxy.scratch.borrow_mut();
        out.clear();
        self.write_head(input, &mut out);
        input.consume(head_bytes);
        let limits = &self.request.listener.plan.http.limits;
        let mut data = reader.take(input, limits).map_err(on_fault)?;
        let behind = self.writer.frame(&mut data, reader, &mut out);
        let status = self.request.heads.response.status();
        answered(self.request, status);
        coalesce(&mut out, &mut data);
        let rest = send_now(&self.client.stream, &out, &mut data);
        Ok((rest.map_err(|error| failure::on_send_to_client(&error))?, data, behind))
    }

    pub(super) fn write_head(&self, input: &Buffer, out: &mut Vec<u8>) {
        let request = &*self.request;
        let edits = &request.listener.plan.rules[self.to.rule].response_fields;
        let keeps_length = match self.body {
            _ if self.edits.coding.is_some() => false,
            ResponseBody::Length(_) => true,
            // Of a HEAD or a 304 it tells about the body that there would be; a 204 has none (RFC 9110 §8.6).
            ResponseBody::None => request.heads.response.status() != 204,
            ResponseBody::Chunked | ResponseBody::UntilClose => false,
        };
        let is_same = self.edits.is_empty();
        let hsts = hsts(request, edits);
        write_status_line(request, input, out);
        let head = &request.heads.response;
        let length = head.length_value().of(input.bytes());
        let copies_length = keeps_length && encode::is_plain_length(length);
        match head.fields_together(ALWAYS_GO_ON) {
            Some(lines) if copies_length && is_same && edits.is_empty() && hsts.is_none() => {
                out.extend_from_slice(lines.of(input.bytes()));
            }
            _ => copy_fields(request, input, out, |field| {
                let goes_on = match field.known {
                    Known::Other => !field.named_by_connection,
                    Known::ContentLength => copies_length && !field.alias,
                    Known::TransferEncoding => false,
                    // A 426 says by it what it wants (RFC 9110 §15.5.22).
                    Known::Upgrade => head.status() == 426,
                    _ => !field.is_hop_by_hop(),
                };
                let name = field.name.of(input.bytes());
                let is_ours = hsts.is_some() && token::eq_ignore_case(name, HSTS.as_bytes());
                goes_on
                    && !is_ours
                    && !forward::is_edited(edits, name)
                    && (is_same || !self.edits.drops(name))
            }),
        }
        if keeps_length && !copies_length {
            encode::write_length(out, length);
        }
        if !is_same {
            let mut fields = head.fields().iter();
            let etag = fields.find(|field| token::eq_ignore_case(field.name.of(input.bytes()), b"etag"));
            // What goes no further is not brought back.
            let etag =
                etag.filter(|field| !(field.named_by_connection || forward::is_edited(edits, b"etag")));
            self.edits.write(etag.map(|field| field.value.of(input.bytes())), out);
        }
        if self.writer == BodyWriter::Chunked {
            out.extend_from_slice(b"Transfer-Encoding: chunked\r\n");
        }
        let has_date = request.heads.response.fields_of(Known::Date).next().is_some();
        if !(has_date || forward::is_edited(edits, b"date")) {
            // RFC 9110 §6.6.1: whoever has a clock adds what is missing.
            request.proxy.write_date(out);
        }
        if request.heads.response.status() == 426 && request.heads.response.upgrade() {
            out.extend_from_slice(b"Connection: Upgrade\r\n");
        }
        write_hsts(hsts, out);
        via::write(request, request.heads.response.version(), false, out);
        forward::write_edits(edits, out);
        write_connection(request, out);
        out.extend_from_slice(b"\r\n");
    }
}

/// What the operator has browsers told about TLS (RFC 6797), unless the rule says it in its own way.
pub(super) fn hsts<'r, S: Sys>(request: &'r Request<S>, edits: &FieldEdits) -> Option<&'r str> {
    let hsts = request.listener.plan.tls.as_ref()?.hsts.as_deref()?;
    // §7.2: over plain HTTP it means nothing and must not be sent.
    (request.secured.is_some() && !forward::is_edited(edits, HSTS.as_bytes())).then_some(hsts)
}

pub(super) fn write_hsts(hsts: Option<&str>, out: &mut Vec<u8>) {
    if let Some(hsts) = hsts {
        for part in [HSTS, ": ", hsts, "\r\n"] {
            out.extend_from_slice(part.as_bytes());
        }
    }
}

const HSTS: &str = "Strict-Transport-Security";

/// What of a response goes on whatever it is; where nothing else is known, all is copied in one go.
const ALWAYS_GO_ON: Names =
    Names::of(&[Known::Date, Known::Server, Known::Location, Known::SetCookie, Known::ContentLength]);

/// What the client is told about its connection (RFC 9112 §9.3).
pub(super) fn write_connection<S: Sys>(request: &Request<S>, out: &mut Vec<u8>) {
    if !request.persists {
        out.extend_from_slice(b"Connection: close\r\n");
    } else if request.head().version() == Version::Http10 {
        out.extend_from_slice(b"Connection: keep-alive\r\n");
    }
}

/// Our own version, whatever the target's is (RFC 9110 §2.5), with its status and reason.
fn write_status_line<S: Sys>(request: &Request<S>, input: &Buffer, out: &mut Vec<u8>) {
    let head = &request.heads.response;
    out.extend_from_slice(b"HTTP/1.1 ");
    encode::write_status(out, head.status());
    out.push(b' ');
    out.extend_from_slice(head.reason().of(input.bytes()));
    out.extend_from_slice(b"\r\n");
}

fn copy_fields<S: Sys>(
    request: &Request<S>,
    input: &Buffer,
    out: &mut Vec<u8>,
    keep: impl FnMut(&Field) -> bool,
) {
    encode::copy_fields(out, input.bytes(), request.heads.response.fields(), keep);
}

pub(super) fn on_fault(fault: BodyFault) -> Failed {
    match fault {
        BodyFault::Malformed(detail) => Failed { failure: Failure::TargetResponseBody, detail },
        BodyFault::TooLarge | BodyFault::NoMemory => Failure::LocalResources.into(),
    }
}

pub(super) fn on_relay(error: FlowError) -> Failed {
    match error {
        FlowError::Read(error) => match error.kind() {
            _ if io_error::is_deadline(&error) => Failure::TargetStalled.into(),
            io::ErrorKind::OutOfMemory => Failure::LocalResources.into(),
            _ => Failed {
                failure: Failure::TargetResponseTruncated,
                detail: io_error::detail(&error, "reset"),
            },
        },
        FlowError::Ended => Failed { failure: Failure::TargetResponseTruncated, detail: "closed" },
        FlowError::Fault(fault) => on_fault(fault),
        FlowError::Write(error) => failure::on_send_to_client(&error),
    }
}
