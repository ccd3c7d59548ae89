//! Compresses a response on its way from target to client (HTTP5).
//!
//! `respond` asks [`choose`] when the head is here. Without `compression` in the config that is one branch. What is
//! compressed goes in chunks, through [`run`] instead of the plain relay. As there, the target is read only when the
//! client has taken what came before. Before the target is waited for, the client has all that it has said.

use std::future::poll_fn;
use std::io;
use std::rc::Rc;
use std::task::Poll;

use model::{Compression, ContentCoding, Failure, HttpLimits};
use net::{Buffer, LARGE, Sys};
use proto::compression::{Encoder, HeadEdits, Op, Survey, forbids_transform, keep_trailers, negotiate};
use proto::http1::{Field, Known, Method, ResponseBody, token};

use super::body::{BodyReader, write_chunk};
use super::forward::is_edited;
use super::relay::{FlowError, coalesce, send};
use super::request::Request;
use super::respond::{Delivery, answered, on_fault, on_relay};
use super::{Failed, failure, read_head};
use crate::worker::Proxy;

/// What becomes of a response.
pub(super) struct Choice<S: Sys> {
    pub(super) edits: HeadEdits,
    pub(super) lease: Option<Box<Lease<S>>>,
}

/// One of the worker's encoders, until the drop.
pub(super) struct Lease<S: Sys> {
    encoder: Option<Encoder>,
    proxy: Rc<Proxy<S>>,
}

impl<S: Sys> Drop for Lease<S> {
    fn drop(&mut self) {
        if let Some(encoder) = self.encoder.take() {
            // What panicked is in no state to be used again.
            self.proxy.encoders.borrow_mut().give_back(encoder, !std::thread::panicking());
        }
    }
}

/// Decides by what the config, the request and the response's head say. `rule` is the one that forwards.
pub(super) fn choose<S: Sys>(
    request: &Request<S>,
    rule: usize,
    input: &Buffer,
    body: ResponseBody,
) -> Choice<S> {
    let nothing = |edits| Choice { edits, lease: None };
    let Some(settings) = &request.listener.plan.http.compression else {
        return nothing(HeadEdits::default());
    };
    let survey = survey(request, rule, input);
    let status = request.heads.response.status();
    if status == 304 {
        return nothing(HeadEdits::of_not_modified(&survey, values(request, b"if-none-match")));
    }
    let is_head = request.head().method() == Method::Head;
    let length = match body {
        ResponseBody::Length(length) => Some(length),
        ResponseBody::None if is_head => told_length(request, input),
        ResponseBody::None => Some(0),
        ResponseBody::Chunked | ResponseBody::UntilClose => None,
    };
    if !survey.may_compress(settings, status, length) {
        return nothing(HeadEdits::default());
    }
    let takes =
        read_head::takes_chunks(request.head()) && !values(request, b"cache-control").any(forbids_transform);
    let coding = if takes { negotiate(values(request, b"accept-encoding"), &settings.codings) } else { None };
    if is_head {
        return nothing(HeadEdits::of_response(&survey, coding));
    }
    let lease = coding.and_then(|coding| lease(request, settings, coding, length));
    Choice { edits: HeadEdits::of_response(&survey, coding.filter(|_| lease.is_some())), lease }
}

fn lease<S: Sys>(
    request: &Request<S>,
    settings: &Compression,
    coding: ContentCoding,
    length: Option<u64>,
) -> Option<Box<Lease<S>>> {
    let proxy = Rc::clone(&request.proxy);
    let encoder = proxy.encoders.borrow_mut().lend(coding, settings.levels.of(coding), length);
    if encoder.is_none() {
        request.listener.cells().compression_skipped.increment();
    }
    encoder.map(|encoder| Box::new(Lease { encoder: Some(encoder), proxy }))
}

/// The fields as the client would get them: the target's that the rule leaves alone, and the rule's own.
fn survey<'a, S: Sys>(request: &'a Request<S>, rule: usize, input: &'a Buffer) -> Survey<'a> {
    let edits = &request.listener.plan.rules[rule].response_fields;
    let mut survey = Survey::default();
    for field in request.heads.response.fields() {
        let name = field.name.of(input.bytes());
        if !(field.named_by_connection || is_edited(edits, name)) {
            survey.note(name, field.value.of(input.bytes()));
        }
    }
    for (name, value) in edits.set.iter().chain(&edits.add) {
        survey.note_own(name.as_bytes(), value.as_bytes());
    }
    survey
}

/// The values of the request's fields of this name.
fn values<'a, S: Sys>(request: &'a Request<S>, name: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
    let named = move |field: &&Field| token::eq_ignore_case(request.text(field.name), name);
    request.head().fields().iter().filter(named).map(|field| request.text(field.value))
}

/// Of the body that a GET would have had.
fn told_length<S: Sys>(request: &Request<S>, input: &Buffer) -> Option<u64> {
    let mut told = request.heads.response.fields_of(Known::ContentLength);
    told.next().and_then(|field| token::number(field.value.of(input.bytes())))
}

/// Sends the response, compressed.
pub(super) async fn run<S: Sys>(
    delivery: Delivery<'_, '_, S>,
    mut lease: Box<Lease<S>>,
    input: &mut Buffer,
    head_bytes: usize,
    reader: &mut BodyReader,
) -> Result<(), Failed> {
    let listener = Rc::clone(&delivery.request.listener);
    let limits = &listener.plan.http.limits;
    let Some(encoder) = &mut lease.encoder else { return Err(Failure::Internal.into()) };
    let mut head = Vec::new();
    delivery.write_head(input, &mut head);
    input.consume(head_bytes);
    let press = Press { delivery, encoder, head, out: Buffer::new(), since_yield: 0, is_behind: false };
    press.run(input, reader, limits).await
}

/// A body on its way through an encoder.
struct Press<'d, 'a, 'b, S: Sys> {
    delivery: Delivery<'a, 'b, S>,
    encoder: &'d mut Encoder,
    /// Goes before `out`: the response's head at first, then only what frames a chunk.
    head: Vec<u8>,
    /// Compressed, not sent yet.
    out: Buffer,
    /// Bytes taken since other tasks had their turn.
    since_yield: usize,
    /// The encoder may hold something back.
    is_behind: bool,
}

impl<S: Sys> Press<'_, '_, '_, S> {
    async fn run(
        mut self,
        input: &mut Buffer,
        reader: &mut BodyReader,
        limits: &HttpLimits,
    ) -> Result<(), Failed> {
        loop {
            let mut data = reader.take(input, limits).map_err(on_fault)?;
            if reader.is_complete() {
                self.encode(Op::Finish, &mut data, reader).await?;
                let mut trailers = Vec::new();
                keep_trailers(reader.trailers(), &mut trailers);
                return self.send(reader, Some(&trailers)).await;
            }
            self.encode(Op::Push, &mut data, reader).await?;
            self.read(input, reader).await?;
        }
    }

    /// Puts `data` through, and sends what fills a chunk.
    async fn encode(&mut self, op: Op, data: &mut Buffer, reader: &BodyReader) -> Result<(), Failed> {
        loop {
            let piece = data.bytes();
            // limit: what is compressed before others have their turn.
            let (piece, op) = match piece.get(..STEP_BYTES) {
                Some(front) if piece.len() > STEP_BYTES => (front, Op::Push),
                _ => (piece, op),
            };
            let is_last = piece.len() == data.len();
            let no_memory = |_| Failed::from(Failure::LocalResources);
            let room = self.out.spare(CHUNK_BYTES).map_err(no_memory)?;
            let end = room.len().saturating_sub(FRAME_BYTES);
            let step = self.encoder.step(op, piece, &mut room[..end]);
            let step = step.map_err(|_| Failed { failure: Failure::Internal, detail: "encoder" })?;
            self.out.filled(step.written);
            data.consume(step.read);
            self.is_behind = op == Op::Push && (self.is_behind || step.read > 0);
            self.since_yield += step.read;
            let is_done = step.is_done && is_last;
            if !is_done && self.out.capacity() - self.out.len() < FRAME_BYTES + Encoder::ROOM_MIN {
                self.send(reader, None).await?;
            }
            // Before the return: pieces that are small each are many together.
            if self.since_yield >= STEP_BYTES {
                self.since_yield = 0;
                self.delivery.client.proxy.worker.yield_now().await;
            }
            if is_done {
                return Ok(());
            }
        }
    }

    /// Waits for more of the body. Before, all that the target has said goes to the client: it may be an event.
    async fn read(&mut self, input: &mut Buffer, reader: &mut BodyReader) -> Result<(), Failed> {
        let connection = self.delivery.connection;
        let (from, timeout) = (&connection.stream, self.delivery.to.group.plan.group.timeouts.idle);
        from.set_read_deadline(from.worker().after(timeout));
        let at_once = poll_fn(|context| {
            Poll::Ready(match from.poll_fill(context, input, LARGE) {
                Poll::Ready(result) => Some(result),
                Poll::Pending => None,
            })
        });
        let filled = match at_once.await {
            Some(result) => result,
            None => {
                self.flush(reader).await?;
                from.set_read_deadline(from.worker().after(timeout));
                from.fill(input, LARGE).await
            }
        };
        let count = filled.map_err(|error| on_relay(FlowError::Read(error)))?;
        if count == 0 && !reader.end_of_stream() {
            return Err(on_relay(FlowError::Ended));
        }
        Ok(())
    }

    async fn flush(&mut self, reader: &BodyReader) -> Result<(), Failed> {
        if self.is_behind {
            self.encode(Op::Flush, &mut Buffer::new(), reader).await?;
        }
        self.send(reader, None).await
    }

    /// Sends what is here as a chunk, and the end of the body where `trailers` are given, which may be empty.
    async fn send(&mut self, reader: &BodyReader, trailers: Option<&[u8]>) -> Result<(), Failed> {
        let Delivery { request, client, .. } = &mut self.delivery;
        if !request.is_answered {
            let status = request.heads.response.status();
            answered(request, status);
            request.coding = Some(self.encoder.coding());
        }
        request.response_body_bytes += self.out.len() as u64;
        request.plain_body_bytes = reader.bytes;
        let behind = write_chunk(&mut self.out, trailers, &mut self.head);
        coalesce(&mut self.head, &mut self.out);
        let timeout = request.listener.plan.http.send_timeout;
        client.stream.set_write_deadline(client.proxy.worker.after(timeout));
        let on_error = |error: io::Error| failure::on_send_to_client(&error);
        send(&client.stream, &self.head, &mut self.out).await.map_err(on_error)?;
        send(&client.stream, &behind, &mut Buffer::new()).await.map_err(on_error)?;
        self.head.clear();
        Ok(())
    }
}

/// Compressed bytes that make a chunk, with its frame.
const CHUNK_BYTES: usize = 16 * 1024;
/// Room for what ends a chunk and, in most cases, the body.
const FRAME_BYTES: usize = 64;
/// limit: bytes compressed before others have their turn: half a millisecond at the slowest level.
const STEP_BYTES: usize = 16 * 1024;
