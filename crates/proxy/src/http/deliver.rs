//! Delivers the target's final response to the client: the head with what of the body is here, then the rest.

use std::cell::Cell;
use std::rc::Rc;

use net::{Buffer, Sys};
use proto::http1::ResponseBody;

use super::abort::{self, ClientWatch, is_ignored};
use super::at_target::{Attempt, Ended};
use super::compress::{self, Lease};
use super::delivery::Delivery;
use super::exchange::Exchange;
use super::failure;
use super::progress::Progress;
use crate::failed::Failed;
use crate::relay::{BodyReader, BodyWriter, Flow, Pace, coalesce, send, send_now, send_rest};

pub(super) async fn deliver<S: Sys>(
    attempt: &mut Attempt<'_, '_, S>,
    mut input: Buffer,
    head_bytes: usize,
    progress: &Progress,
) -> Result<Ended, Failed> {
    let (exchange, to) = (&mut *attempt.exchange, attempt.to);
    let (client, meter, began) = (exchange.client, exchange.meter, exchange.client.proxy.worker.now());
    let head = &exchange.heads.response;
    let body = head.body_length(exchange.heads.request.method());
    let target_persists = head.persists() && body != ResponseBody::UntilClose;
    head.keep_alive_timeout().into_iter().for_each(|seconds| to.target.learn_timeout(seconds));
    let choice = compress::choose(exchange, to.rule, &input, body);
    let count = if choice.lease.is_some() { &meter.plain } else { &meter.down };
    let (discarded, listener) = (Cell::new(0), Rc::clone(&exchange.listener));
    let mut reader = BodyReader::of_response(body, count);
    reader.edit_trailers(&listener.plan.rules[to.rule].response_fields);
    if head.lists_fields() {
        reader.drop_trailers();
    }
    let writer = match choice.lease {
        Some(_) => BodyWriter::Chunked,
        None => frame_for_client(exchange, body),
    };
    // If the target answered before it had the whole request, the rest goes nowhere, and a client that waits for 100
    // Continue may never send it.
    exchange.persists = exchange.persists && progress.is_uploaded() && !client.is_last();
    // Request and response may be a conversation, in which the client has nothing to say for long.
    progress.pace.stop();
    let watch = ClientWatch::new(exchange);
    let result = if watch.is_ignored() && watch.is_gone() {
        input.consume(head_bytes);
        Err(watch.failed())
    } else {
        let delivery = Delivery { attempt: &mut *attempt, body, writer, edits: choice.edits };
        run(delivery, choice.lease, &mut input, head_bytes, &mut reader).await
    };
    let exchange = &mut *attempt.exchange;
    exchange.record.phases.relay = Some(exchange.micros_since(began));
    let aborted = result.err().filter(|&failed| is_ignored(exchange, progress, failed));
    match aborted {
        Some(_) => {
            reader.count_into(&discarded);
            Box::pin(abort::discard(attempt, &mut input, &mut reader)).await;
        }
        None => result?,
    }
    // invariant: a connection takes another request only after the whole request was written to it, not merely read.
    let is_reusable = target_persists && reader.is_complete() && input.is_empty() && progress.is_uploaded();
    Ok(match aborted {
        Some(failed) => Ended::Aborted { failed, is_reusable },
        None if is_reusable => Ended::Reusable,
        None => Ended::Closed,
    })
}

/// How the client gets the body. Only HTTP/1.1 knows chunks; if neither chunks nor a length can mark the end, the end of
/// the connection does (RFC 9112 §6.3, KA3).
fn frame_for_client<S: Sys>(exchange: &mut Exchange<'_, S>, body: ResponseBody) -> BodyWriter {
    match body {
        ResponseBody::None | ResponseBody::Length(_) => BodyWriter::Plain,
        _ if exchange.request().takes_chunks() => BodyWriter::Chunked,
        ResponseBody::Chunked | ResponseBody::UntilClose => {
            exchange.persists = false;
            BodyWriter::Plain
        }
    }
}

/// Sends the response, compressed where there is a `lease` of an encoder.
async fn run<S: Sys>(
    mut delivery: Delivery<'_, '_, '_, S>,
    lease: Option<Box<Lease<S>>>,
    input: &mut Buffer,
    head_bytes: usize,
    reader: &mut BodyReader<'_>,
) -> Result<(), Failed> {
    let client = delivery.attempt.exchange.client;
    client.is_dismissed.set(!delivery.attempt.exchange.persists);
    if let Some(lease) = lease {
        // Boxed, so that other requests do not reserve space for its state.
        return Box::pin(compress::run(delivery, lease, input, head_bytes, reader)).await;
    }
    let listener = Rc::clone(&delivery.attempt.exchange.listener);
    let http = &listener.plan.http;
    client.end().write_within(http.send_timeout);
    let (rest, mut data, behind) = send_first(&mut delivery, input, head_bytes, reader)?;
    let is_sent = rest.is_empty() && data.is_empty() && behind.is_empty();
    let pace = Pace::new(http.min_rate);
    if !(is_sent && client.stream.is_flushed()) {
        client.end().write_paced(http.send_timeout, &pace, rest.len() + data.len() + behind.len());
        let written = send_rest(&client.stream, &rest, &mut data).await;
        written.map_err(|error| failure::on_send_to_client(&error))?;
        let written = send(&client.stream, &behind, &mut Buffer::new()).await;
        written.map_err(|error| failure::on_send_to_client(&error))?;
    }
    if reader.is_complete() {
        return Ok(());
    }
    let flow = Flow {
        from: delivery.attempt.end(),
        to: client.end(),
        input,
        reader,
        writer: delivery.writer,
        limits: &http.limits,
        read_timeout: delivery.attempt.to.group.plan.group.timeouts.idle,
        write_timeout: http.send_timeout,
        read_pace: &Pace::free(),
        write_pace: &pace,
        descriptors: client.proxy.live.descriptors(),
    };
    flow.run().await.map_err(failure::on_relay)
}

/// Sends head and first data in one write. Returns what did not go at once: the rest of the head, the data, and the
/// framing behind the data.
fn send_first<S: Sys>(
    delivery: &mut Delivery<'_, '_, '_, S>,
    input: &mut Buffer,
    head_bytes: usize,
    reader: &mut BodyReader<'_>,
) -> Result<(Vec<u8>, Buffer, Vec<u8>), Failed> {
    let client = delivery.attempt.exchange.client;
    let mut out = client.proxy.scratch.borrow_mut();
    out.clear();
    delivery.write_head(input, &mut out);
    input.consume(head_bytes);
    let exchange = &mut *delivery.attempt.exchange;
    let data = reader.take(input, &exchange.listener.plan.http.limits);
    let mut data = data.map_err(failure::on_response_body)?;
    let behind = delivery.writer.frame(&mut data, reader, &mut out);
    exchange.answer(exchange.heads.response.status());
    coalesce(&mut out, &mut data);
    let rest = send_now(&client.stream, &out, &mut data);
    Ok((rest.map_err(|error| failure::on_send_to_client(&error))?, data, behind))
}
