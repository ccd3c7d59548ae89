//! The end of every request: the reply that is still owed, the record, and what happens to the client's connection.

use std::rc::Rc;
use std::time::Duration;

use model::{Failure, Limits, Side};
use net::{Buffer, LARGE, Sys};
use observe::MadeBy;

use super::exchange::Exchange;
use super::failure;
use super::outcome::{Next, Stop};
use super::state::{RequestBody, ResponseState};
use crate::connection::{Client, Expected};
use crate::decide::ready;
use crate::failed::Failed;
use crate::relay::{BodyReader, Pace, send_scratch};

pub(super) async fn finish<S: Sys>(
    exchange: &mut Exchange<'_, S>,
    input: &mut Buffer,
    stop: Option<Stop>,
) -> Next {
    // It is no tunnel, or none any more. A client that takes a reply slowly must not hold the lease of one.
    exchange.tunnel = None;
    let next = match stop {
        None => persist(exchange, input),
        Some(Stop::Reply { rule }) => reply_ready(exchange, input, rule).await,
        Some(Stop::Failed(failed)) => fail(exchange, input, failed).await,
    };
    exchange.write_record();
    let owes_body = exchange.response == ResponseState::Begun && exchange.body != RequestBody::Taken;
    if exchange.client.is_stream() && owes_body && matches!(next, Next::Close { .. }) {
        take_rest(exchange.client, input).await;
    }
    next
}

fn persist<S: Sys>(exchange: &Exchange<'_, S>, input: &Buffer) -> Next {
    if exchange.is_read && exchange.persists { Next::Idle } else { close(exchange, input) }
}

fn close<S: Sys>(exchange: &Exchange<'_, S>, input: &Buffer) -> Next {
    let is_complete = exchange.is_read && exchange.body == RequestBody::Taken && input.is_empty();
    // A connection that is evicted makes room as soon as it can.
    let is_over = || !exchange.request().head.persists() || exchange.client.permit().closes_after_response();
    let expected = match is_complete && is_over() {
        true => Expected::Nothing,
        false => Expected::More,
    };
    Next::Close { expected }
}

/// Sends the reply that the rule gives by itself.
async fn reply_ready<S: Sys>(exchange: &mut Exchange<'_, S>, input: &mut Buffer, rule: usize) -> Next {
    skip_body(exchange, input);
    let listener = Rc::clone(&exchange.listener);
    let Some(ready) = ready(&listener.plan.rules[rule], exchange.path(), exchange.request()) else {
        return fail(exchange, input, Failure::Internal.into()).await;
    };
    exchange.record.status = ready.status();
    send(exchange, input, |exchange, out| {
        exchange.composer(Some(rule)).write_ready(ready, exchange.request(), out)
    })
    .await
}

/// Sends the reply to a request that failed, if the client can still get one.
async fn fail<S: Sys>(exchange: &mut Exchange<'_, S>, input: &mut Buffer, failed: Failed) -> Next {
    exchange.record.fail(failed);
    if exchange.response.is_answered() {
        return cut(exchange);
    }
    let is_silent = is_silent(failed.failure);
    // The status that the client gets: gRPC reports a failure in the fields of a 200.
    let is_grpc = !is_silent && exchange.composer(exchange.route.rule).is_grpc(failed);
    exchange.record.status = if is_grpc { 200 } else { failed.failure.outcome().status };
    exchange.record.made_by = MadeBy::Evenkeel;
    if !exchange.response.takes_reply() {
        // A reply would stand within the fields of the interim response.
        return cut(exchange);
    }
    if is_silent {
        return close(exchange, input);
    }
    skip_body(exchange, input);
    send(exchange, input, |exchange, out| exchange.composer(exchange.route.rule).write_failure(failed, out))
        .await
}

/// Resets the client's connection, so that it cannot take a part of the response for the whole.
fn cut<S: Sys>(exchange: &mut Exchange<'_, S>) -> Next {
    exchange.client.stream.abort_on_close();
    exchange.response = ResponseState::Cut;
    Next::Reset
}

/// Takes a body that has arrived as a whole, so that its client keeps the connection.
fn skip_body<S: Sys>(exchange: &mut Exchange<'_, S>, input: &mut Buffer) {
    if !exchange.is_read || exchange.body != RequestBody::Untouched {
        return;
    }
    let limits = &exchange.listener.plan.http.limits;
    let (body, up) = (exchange.heads.request.body(), &exchange.meter.up);
    let mut reader = BodyReader::of_request(body, limits.body_bytes, up);
    let taken = reader.take(input, limits);
    exchange.body = RequestBody::of(taken.is_ok() && reader.is_complete());
}

/// Sends a reply of ours; `write` returns the bytes of its body.
async fn send<S: Sys>(
    exchange: &mut Exchange<'_, S>,
    input: &Buffer,
    write: impl FnOnce(&Exchange<'_, S>, &mut Vec<u8>) -> u64,
) -> Next {
    let client = exchange.client;
    // invariant: the rest of a request is never read as the next one, however the request ended.
    exchange.persists = exchange.persists && exchange.body == RequestBody::Taken && !client.is_last();
    exchange.response = ResponseState::Begun;
    let http = &exchange.listener.plan.http;
    let sent = send_scratch(&client.proxy.scratch, &client.stream, |out| {
        exchange.meter.down.set(write(exchange, out));
        client.end().write_paced(http.send_timeout, &Pace::new(http.min_rate), out.len());
    });
    if let Err(error) = sent.await {
        if exchange.record.failure.is_none() {
            exchange.record.fail(failure::on_send_to_client(&error));
        }
        return cut(exchange);
    }
    persist(exchange, input)
}

/// Whether no reply can reach the client.
fn is_silent(failure: Failure) -> bool {
    let outcome = failure.outcome();
    outcome.side == Side::Client && outcome.status == 499
}

/// Reads for a short time what the client still sends on its HTTP/2 stream. The reset that ends the rest of the request
/// has no error code, but some clients discard their reply for it (KA7).
async fn take_rest<S: Sys>(client: &Client<S>, input: &mut Buffer) {
    client.end().read_within(Duration::from_millis(Limits::LINGER_MILLISECONDS));
    let mut left = Limits::LINGER_BYTES_MAX;
    while left > 0 {
        input.consume(input.len());
        match client.stream.fill(input, LARGE).await {
            Ok(count) if count > 0 => left = left.saturating_sub(count as u64),
            Ok(_) | Err(_) => break,
        }
    }
    input.consume(input.len());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_failures_of_a_client_that_is_gone_are_silent() {
        let silent: Vec<_> = Failure::ALL.iter().filter(|&&failure| is_silent(failure)).collect();
        assert_eq!(silent, [&Failure::ClientAborted, &Failure::ClientSendTimeout]);
    }
}
