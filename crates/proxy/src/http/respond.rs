//! Reads the heads of the target's responses: interim ones and a 101 are passed on here, the final one goes to `deliver`.

use balance::InterimBudget;
use model::Failure;
use net::{Buffer, LARGE, Sys};
use proto::http1::{Field, Known, Progress as Parsed, token};

use super::abort::is_ignored;
use super::at_target::{Attempt, Ended};
use super::progress::{Event, Progress, Stage};
use super::state::ResponseState;
use super::{deliver, failure, persist};
use crate::decide::may_switch;
use crate::failed::Failed;
use crate::relay::send_scratch;

/// Passes on interim responses, then the final response or the 101.
pub(super) async fn respond<S: Sys>(
    attempt: &mut Attempt<'_, '_, S>,
    progress: &Progress,
) -> Result<Ended, Failed> {
    let sent = attempt.exchange.client.proxy.worker.now();
    let mut input = Buffer::new();
    let mut budget = InterimBudget::new(sent);
    loop {
        let head_bytes = read(attempt, &mut input, sent, progress).await?;
        let status = attempt.exchange.heads.response.status();
        match status {
            101 => return switch(attempt, input, head_bytes, progress).await,
            100..=199 => {
                if !budget.take(attempt.exchange.client.proxy.worker.now(), head_bytes) {
                    return Err(Failed { failure: Failure::TargetResponseMalformed, detail: TOO_MANY });
                }
                pass_interim(attempt, &mut input, head_bytes, progress).await?;
                if status == 100 {
                    hand_over(attempt, progress);
                }
            }
            _ => {
                attempt.exchange.tunnel = None;
                attempt.to.target.cells().responses.count(status);
                let learned = persist::learn(attempt.exchange, &input);
                if let Some(learned) = learned {
                    Box::pin(persist::share(attempt.exchange, learned)).await;
                }
                return deliver::deliver(attempt, input, head_bytes, progress).await;
            }
        }
    }
}

/// Reads a head and returns its length; `input` then holds it and what followed.
async fn read<S: Sys>(
    attempt: &mut Attempt<'_, '_, S>,
    input: &mut Buffer,
    sent: u64,
    progress: &Progress,
) -> Result<usize, Failed> {
    let (end, Attempt { exchange, to, .. }) = (attempt.end(), attempt);
    let cells = to.target.cells();
    progress.set_deadline(end);
    exchange.heads.response.clear();
    loop {
        if !input.is_empty() {
            if exchange.record.phases.respond.is_none() {
                let micros = exchange.micros_since(sent);
                exchange.record.phases.respond = Some(micros);
                cells.respond.record(micros);
                to.target.learn_response(micros);
            }
            let limits = &exchange.listener.plan.http.limits;
            let parsed = exchange.heads.response.parse(input.bytes(), limits);
            match parsed? {
                Parsed::Complete { head_bytes } => return Ok(head_bytes),
                Parsed::NeedMore => end.read_within(to.group.plan.group.timeouts.idle),
            }
        }
        match end.stream.fill(input, LARGE).await {
            Ok(0) if input.is_empty() => return Err(Failure::TargetClosedBeforeResponse.into()),
            Ok(0) => {
                return Err(Failed {
                    failure: Failure::TargetResponseMalformed,
                    detail: "closed within the head",
                });
            }
            Ok(_) => {}
            Err(error) => return Err(failure::on_response_head(&error, input.is_empty())),
        }
    }
}

/// Passes an interim response on to a client that can understand it (RFC 9110 §15.2).
async fn pass_interim<S: Sys>(
    attempt: &mut Attempt<'_, '_, S>,
    input: &mut Buffer,
    head_bytes: usize,
    progress: &Progress,
) -> Result<(), Failed> {
    let exchange = &mut *attempt.exchange;
    if exchange.request().takes_chunks() {
        // The upload may end the wait below with a failure.
        exchange.response = ResponseState::InInterim;
        let (client, rule) = (exchange.client, attempt.to.rule);
        client.end().write_within(exchange.listener.plan.http.send_timeout);
        let sent = send_scratch(&client.proxy.scratch, &client.stream, |out| {
            exchange.composer(Some(rule)).write_interim(exchange.response_text(input), out);
        });
        match sent.await.map_err(|error| failure::on_send_to_client(&error)) {
            Err(failed) if !is_ignored(exchange, progress, failed) => return Err(failed),
            // If the client takes nothing any more, sending the final response shows it.
            _ => exchange.response = ResponseState::Unsent,
        }
    }
    input.consume(head_bytes);
    Ok(())
}

/// After a 100 (Continue) it is the turn of a client that waited for it. The target is not to blame if no body comes.
fn hand_over<S: Sys>(attempt: &Attempt<'_, '_, S>, progress: &Progress) {
    if progress.stage() == Stage::Awaiting {
        let exchange = &*attempt.exchange;
        exchange.client.end().read_within(exchange.listener.plan.http.body_timeout);
        progress.on(Event::ClientIsToSend, attempt.end());
    }
}

/// Passes on a 101 to a request that asked for it (RFC 9110 §7.8). No byte of the tunnel has moved before.
async fn switch<S: Sys>(
    attempt: &mut Attempt<'_, '_, S>,
    mut input: Buffer,
    head_bytes: usize,
    progress: &Progress,
) -> Result<Ended, Failed> {
    let (exchange, rule) = (&mut *attempt.exchange, attempt.to.rule);
    let (request, response) = (exchange.request(), exchange.response_text(&input));
    if !request.asks_for_websocket() {
        return Err(Failure::TargetUpgradeUnasked.into());
    }
    let is_websocket = |field: &Field| token::eq_ignore_case(response.text(field.value), b"websocket");
    let head = response.head;
    if !(head.upgrade() && head.fields_of(Known::Upgrade).all(is_websocket) && progress.is_uploaded()) {
        let detail = "101 to another protocol, or too early";
        return Err(Failed { failure: Failure::TargetUpgradeUnasked, detail });
    }
    if !may_switch(&exchange.listener.plan.rules[rule].websocket, request, response) {
        let detail = "101 with a subprotocol that was not offered or is not allowed";
        return Err(Failed { failure: Failure::TargetUpgradeUnasked, detail });
    }
    let learned = persist::learn(exchange, &input);
    if let Some(learned) = learned {
        Box::pin(persist::share(exchange, learned)).await;
    }
    exchange.answer(101);
    let client = exchange.client;
    client.end().write_within(exchange.listener.plan.http.send_timeout);
    let sent = send_scratch(&client.proxy.scratch, &client.stream, |out| {
        exchange.composer_of_target(rule).write_switch(exchange.response_text(&input), out);
    });
    sent.await.map_err(|error| failure::on_send_to_client(&error))?;
    input.consume(head_bytes);
    Ok(Ended::Tunnel { from_target: input })
}

const TOO_MANY: &str = "too many interim responses";
