//! The end of every request: the reply that is still owed, the access record, and what becomes of the connection.

use std::time::Duration;

use model::Limits;
use net::{Buffer, LARGE, Sys};
use observe::MadeBy;

use super::body::BodyReader;
use super::request::Request;
use super::{Failed, Next, Stop, failure, forward, grpc, reply};
use crate::connection::Client;

pub(super) async fn finish<S: Sys>(
    request: &mut Request<S>,
    client: &Client<S>,
    input: &mut Buffer,
    stop: Option<Stop>,
) -> Next {
    // It is no tunnel, or no more. Whoever takes a reply slowly must not hold the place of one.
    request.lease = None;
    let next = match stop {
        None if !request.is_read => Next::Close,
        None => persist(request),
        Some(Stop::Reply { rule }) => reply_ready(request, client, input, rule).await,
        Some(Stop::Failed(failed)) => fail(request, client, input, failed).await,
    };
    request.record();
    let owes_nothing = request.is_uploaded && input.is_empty();
    if request.is_answered && !request.is_cut && !request.is_tunnel && next == Next::Close && !owes_nothing {
        linger(client, input).await;
    }
    next
}

fn persist<S: Sys>(request: &Request<S>) -> Next {
    if request.persists { Next::Idle } else { Next::Close }
}

async fn reply_ready<S: Sys>(
    request: &mut Request<S>,
    client: &Client<S>,
    input: &mut Buffer,
    rule: usize,
) -> Next {
    skip_body(request, input);
    let listener = std::rc::Rc::clone(&request.listener);
    let plan = &listener.plan.rules[rule];
    request.status = reply::status_of(request, plan);
    send(request, client, |request, out| reply::write_ready(request, plan, out)).await
}

async fn fail<S: Sys>(
    request: &mut Request<S>,
    client: &Client<S>,
    input: &mut Buffer,
    failed: Failed,
) -> Next {
    (request.failure, request.detail) = (Some(failed.failure), failed.detail);
    if request.is_answered {
        // The status has gone out. The connection is cut so that the part cannot be taken for the whole.
        client.stream.abort_on_close();
        request.is_cut = true;
        return Next::Close;
    }
    // What the client gets: gRPC says in a field of a 200 that it failed, and the reason says so here.
    let is_grpc = grpc::is_asked(request, failed.failure) && !reply::is_silent(failed.failure);
    request.status = if is_grpc { 200 } else { failed.failure.outcome().status };
    request.made_by = MadeBy::Evenkeel;
    if request.is_in_interim {
        // A page would stand within the fields of the interim response.
        client.stream.abort_on_close();
        request.is_cut = true;
        return Next::Close;
    }
    if reply::is_silent(failed.failure) {
        return Next::Close;
    }
    if !request.has_begun_body {
        skip_body(request, input);
    }
    send(request, client, |request, out| reply::write_failure(request, failed, out)).await
}

/// A body that has arrived as a whole does not cost the client its connection.
fn skip_body<S: Sys>(request: &mut Request<S>, input: &mut Buffer) {
    if !request.is_read {
        return;
    }
    let http = &request.listener.plan.http;
    let mut reader = BodyReader::of_request(request.head().body(), http.limits.body_bytes);
    let taken = reader.take(input, &http.limits);
    request.is_uploaded = taken.is_ok() && reader.is_complete();
    request.request_body_bytes = reader.bytes;
}

async fn send<S: Sys>(
    request: &mut Request<S>,
    client: &Client<S>,
    write: impl FnOnce(&Request<S>, &mut Vec<u8>) -> u64,
) -> Next {
    // invariant: what is left of a request is never read as the next one, however the request ended.
    request.persists = request.persists && request.is_uploaded && !client.is_last();
    request.is_answered = true;
    client.stream.set_write_deadline(client.proxy.worker.after(request.listener.plan.http.send_timeout));
    let mut body_bytes = 0;
    let sent = forward::send_scratch(request, &client.stream, |out| {
        body_bytes = write(request, out);
    });
    let sent = sent.await;
    request.response_body_bytes = body_bytes;
    if let Err(error) = sent {
        if request.failure.is_none() {
            let failed = failure::on_send_to_client(&error);
            (request.failure, request.detail) = (Some(failed.failure), failed.detail);
        }
        request.is_cut = true;
        return Next::Close;
    }
    persist(request)
}

/// Reads on for a moment what the client still sends: closing at once would reset the connection, and with it the
/// reply that is still on its way (KA7). A stream's reset says no error, and yet some clients throw their reply away
/// for it.
async fn linger<S: Sys>(client: &Client<S>, input: &mut Buffer) {
    // A stream has its end already.
    if !client.is_stream() && client.stream.shutdown_write().is_err() {
        return;
    }
    let (worker, patience) = (&client.proxy.worker, Duration::from_millis(Limits::LINGER_MILLISECONDS));
    client.stream.set_read_deadline(worker.after(patience));
    let mut left = Limits::LINGER_BYTES_MAX;
    while left > 0 {
        input.consume(input.len());
        match client.stream.fill(input, LARGE).await {
            Ok(count) if count > 0 => left = left.saturating_sub(count as u64),
            Ok(_) | Err(_) => return input.consume(input.len()),
        }
    }
    input.consume(input.len());
    if client.is_stream() {
        return;
    }
    // It sends without end. What it sends from here on waits in the kernel, and it has a moment to read.
    tokio::select! {
        biased;
        () = client.stream.gone() => {}
        () = worker.sleep(patience) => {}
    }
}

#[cfg(test)]
mod tests {
    use model::Failure;

    use super::*;

    #[test]
    fn failures_that_nobody_can_be_told_are_silent() {
        let silent: Vec<_> = Failure::ALL.iter().filter(|&&failure| reply::is_silent(failure)).collect();
        assert_eq!(silent, [&Failure::ClientAborted, &Failure::ClientSendTimeout]);
    }
}
