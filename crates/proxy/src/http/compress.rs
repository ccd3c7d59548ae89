//! Compresses a response on its way from target to client (HTTP5).
//!
//! `deliver` asks [`choose`] when it has the head. Without `compression` in the config that is one branch. A compressed
//! body goes in chunks, through [`run`] instead of the plain relay. As there, the next read from the target waits until the
//! client has taken what came before. Before a wait for the target, all that was read is flushed to the client.

use std::future::poll_fn;
use std::io;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use model::{Compression, ContentCoding, Failure, HttpLimits};
use net::{Buffer, LARGE, Sys};
use proto::compression::{Encoder, HeadEdits, Op, Survey, forbids_transform, keep_trailers, negotiate};
use proto::http1::{Known, Method, ResponseBody, token};

use super::delivery::Delivery;
use super::exchange::Exchange;
use super::failure::{self, on_relay, on_response_body};
use super::state::ResponseState;
use crate::compose::is_edited;
use crate::failed::Failed;
use crate::relay::{BodyReader, FlowError, Pace, coalesce, send, write_chunk};
use crate::worker::Proxy;

/// What is done to a response.
pub(super) struct Choice<S: Sys> {
    pub(super) edits: HeadEdits,
    pub(super) lease: Option<Box<Lease<S>>>,
}

/// An encoder on loan from the worker, until the drop.
pub(super) struct Lease<S: Sys> {
    encoder: Option<Encoder>,
    proxy: Rc<Proxy<S>>,
}

impl<S: Sys> Drop for Lease<S> {
    fn drop(&mut self) {
        if let Some(encoder) = self.encoder.take() {
            // After a panic its state is unknown, and it is not reused.
            self.proxy.encoders.borrow_mut().give_back(encoder, !std::thread::panicking());
        }
    }
}

/// Decides by the config, the request and the response's head. `rule` is the one that forwards.
pub(super) fn choose<S: Sys>(
    exchange: &Exchange<'_, S>,
    rule: usize,
    input: &Buffer,
    body: ResponseBody,
) -> Choice<S> {
    let nothing = |edits| Choice { edits, lease: None };
    let Some(settings) = &exchange.listener.plan.http.compression else {
        return nothing(HeadEdits::default());
    };
    let (request, survey) = (exchange.request(), survey(exchange, rule, input));
    let status = exchange.heads.response.status();
    match status {
        206 => return nothing(HeadEdits::of_part(&survey, settings)),
        304 => {
            let asked = request.values(b"if-none-match");
            let length = told_length(exchange, input);
            return nothing(HeadEdits::of_not_modified(&survey, settings, length, asked));
        }
        _ => {}
    }
    let is_head = request.head.method() == Method::Head;
    let length = match body {
        ResponseBody::Length(length) => Some(length),
        ResponseBody::None if is_head => told_length(exchange, input),
        ResponseBody::None => Some(0),
        ResponseBody::Chunked | ResponseBody::UntilClose => None,
    };
    if !survey.may_compress(settings, status, length) {
        return nothing(HeadEdits::default());
    }
    let takes = request.takes_chunks() && !request.values(b"cache-control").any(forbids_transform);
    let coding = if takes { negotiate(request.values(b"accept-encoding"), &settings.codings) } else { None };
    if is_head {
        return nothing(HeadEdits::of_response(&survey, coding));
    }
    let lease = coding.and_then(|coding| lease(exchange, settings, coding, length));
    Choice { edits: HeadEdits::of_response(&survey, coding.filter(|_| lease.is_some())), lease }
}

fn lease<S: Sys>(
    exchange: &Exchange<'_, S>,
    settings: &Compression,
    coding: ContentCoding,
    length: Option<u64>,
) -> Option<Box<Lease<S>>> {
    let proxy = Rc::clone(&exchange.client.proxy);
    let encoder = proxy.encoders.borrow_mut().lend(coding, settings.levels.of(coding), length);
    if encoder.is_none() {
        exchange.listener.cells().compression_skipped.increment();
    }
    encoder.map(|encoder| Box::new(Lease { encoder: Some(encoder), proxy }))
}

/// The fields as the client would get them: those of the target that the rule does not edit, and the rule's own.
fn survey<'a, S: Sys>(exchange: &'a Exchange<'_, S>, rule: usize, input: &'a Buffer) -> Survey<'a> {
    let edits = &exchange.listener.plan.rules[rule].response_fields;
    let mut survey = Survey::default();
    for field in exchange.heads.response.fields() {
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

/// The length of the body that a GET would have.
fn told_length<S: Sys>(exchange: &Exchange<'_, S>, input: &Buffer) -> Option<u64> {
    let mut told = exchange.heads.response.fields_of(Known::ContentLength);
    told.next().and_then(|field| token::number(field.value.of(input.bytes())))
}

/// Sends the response, compressed.
pub(super) async fn run<S: Sys>(
    delivery: Delivery<'_, '_, '_, S>,
    mut lease: Box<Lease<S>>,
    input: &mut Buffer,
    head_bytes: usize,
    reader: &mut BodyReader<'_>,
) -> Result<(), Failed> {
    let listener = Rc::clone(&delivery.attempt.exchange.listener);
    let limits = &listener.plan.http.limits;
    let Some(encoder) = &mut lease.encoder else { return Err(Failure::Internal.into()) };
    let mut head = Vec::new();
    delivery.write_head(input, &mut head);
    input.consume(head_bytes);
    let pace = Pace::new(listener.plan.http.min_rate);
    let press = Press { delivery, encoder, head, out: Buffer::new(), since_yield: 0, is_behind: false, pace };
    press.run(input, reader, limits).await
}

/// A body on its way through an encoder.
struct Press<'d, 'a, 'b, 'c, S: Sys> {
    delivery: Delivery<'a, 'b, 'c, S>,
    encoder: &'d mut Encoder,
    /// Goes before `out`: the response's head at first, then only what frames a chunk.
    head: Vec<u8>,
    /// Compressed bytes that are not sent yet.
    out: Buffer,
    /// Bytes compressed since other tasks could run.
    since_yield: usize,
    /// The encoder may hold bytes back.
    is_behind: bool,
    /// Of the client that reads.
    pace: Pace,
}

impl<S: Sys> Press<'_, '_, '_, '_, S> {
    async fn run(
        mut self,
        input: &mut Buffer,
        reader: &mut BodyReader<'_>,
        limits: &HttpLimits,
    ) -> Result<(), Failed> {
        loop {
            let mut data = reader.take(input, limits).map_err(on_response_body)?;
            if reader.is_complete() {
                self.encode(Op::Finish, &mut data).await?;
                let mut trailers = Vec::new();
                keep_trailers(&reader.trailers(), &mut trailers);
                return self.send(Some(&trailers)).await;
            }
            self.encode(Op::Push, &mut data).await?;
            self.read(input, reader).await?;
        }
    }

    /// Compresses `data` and sends each chunk that is full.
    async fn encode(&mut self, op: Op, data: &mut Buffer) -> Result<(), Failed> {
        loop {
            let piece = data.bytes();
            // limit: bytes compressed before other tasks run.
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
                self.send(None).await?;
            }
            // Before the return: many small pieces add up.
            if self.since_yield >= STEP_BYTES {
                self.since_yield = 0;
                self.delivery.attempt.exchange.client.proxy.worker.yield_now().await;
            }
            if is_done {
                return Ok(());
            }
        }
    }

    /// Waits for more of the body. Before that, all that the target has sent goes to the client: it may be an event.
    async fn read(&mut self, input: &mut Buffer, reader: &mut BodyReader<'_>) -> Result<(), Failed> {
        let attempt = &self.delivery.attempt;
        let (end, timeout) = (attempt.end(), attempt.to.group.plan.group.timeouts.idle);
        let from = end.stream;
        end.read_within(timeout);
        let at_once = poll_fn(|context| {
            Poll::Ready(match from.poll_fill(context, input, LARGE) {
                Poll::Ready(result) => Some(result),
                Poll::Pending => None,
            })
        });
        let filled = match at_once.await {
            Some(result) => result,
            None => {
                self.flush().await?;
                end.read_within(timeout);
                from.fill(input, LARGE).await
            }
        };
        let count = filled.map_err(|error| on_relay(FlowError::Read(error)))?;
        if count == 0 && !reader.end_of_stream() {
            return Err(on_relay(FlowError::Ended));
        }
        Ok(())
    }

    async fn flush(&mut self) -> Result<(), Failed> {
        if self.is_behind {
            self.encode(Op::Flush, &mut Buffer::new()).await?;
        }
        self.send(None).await
    }

    /// Sends the compressed bytes as a chunk. With `trailers`, which may be empty, the body ends.
    async fn send(&mut self, trailers: Option<&[u8]>) -> Result<(), Failed> {
        let exchange = &mut *self.delivery.attempt.exchange;
        if exchange.response == ResponseState::Unsent {
            exchange.answer(exchange.heads.response.status());
            exchange.record.coding = Some(self.encoder.coding());
        }
        let (client, down) = (exchange.client, &exchange.meter.down);
        down.set(down.get() + self.out.len() as u64);
        let behind = write_chunk(&mut self.out, trailers, &mut self.head);
        coalesce(&mut self.head, &mut self.out);
        let bytes = self.head.len() + self.out.len() + behind.len();
        client.end().write_paced(exchange.listener.plan.http.send_timeout, &self.pace, bytes);
        let began = client.proxy.worker.now();
        let on_error = |error: io::Error| failure::on_send_to_client(&error);
        send(&client.stream, &self.head, &mut self.out).await.map_err(on_error)?;
        send(&client.stream, &behind, &mut Buffer::new()).await.map_err(on_error)?;
        self.pace.moved(bytes, Duration::from_micros(exchange.micros_since(began)));
        self.head.clear();
        Ok(())
    }
}

/// Compressed bytes that make a chunk, with its frame.
const CHUNK_BYTES: usize = 16 * 1024;
/// Space for the end of a chunk and, in most cases, of the body.
const FRAME_BYTES: usize = 64;
/// limit: bytes compressed before other tasks run: half a millisecond at the slowest level.
const STEP_BYTES: usize = 16 * 1024;
