//! The story of a request.
//!
//! ```text
//! read_head → decide → choose → connect → forward → respond → relay → finish
//! ```
//!
//! [`serve_request`] begins an [`Exchange`], tells the steps in the order in which they happen, and always ends in
//! `finish`: the one place where a status is counted and logged. A step that ends the story early returns a [`Stop`].
//! Nothing else decides the order.

mod abort;
mod at_target;
mod attempt;
mod compress;
mod deliver;
mod delivery;
mod exchange;
mod failure;
mod finish;
mod forward;
mod heads;
mod outcome;
mod persist;
mod progress;
mod read_head;
mod record;
mod request_id;
mod respond;
mod session;
mod state;
mod tell;
mod transfer;
mod tunnel;
mod upload;

use net::{Buffer, Sys};

use crate::connection::{Client, is_empty_line};
use crate::decide::{Verdict, decide};
use crate::relay::{CutOff, Meter};
use exchange::Exchange;
use outcome::Stop;

pub(crate) use heads::HeadPool;
pub(crate) use outcome::Next;

/// Serves what the client has sent, pipelined requests in their order, until the connection is idle again or ends.
pub(crate) async fn serve_requests<S: Sys>(client: &mut Client<S>, mut input: Buffer) -> Next {
    loop {
        match serve_request(client, &mut input).await {
            Next::Idle if !(input.is_empty() || is_empty_line(&input)) => {}
            next => return next,
        }
    }
}

/// Serves one request, from its first byte to its record.
async fn serve_request<S: Sys>(client: &mut Client<S>, input: &mut Buffer) -> Next {
    client.requests = client.requests.saturating_add(1);
    let (client, meter) = (&*client, Meter::default());
    let cut_off = CutOff(&client.stream);
    let mut exchange = Exchange::begin(client, &meter);
    let stop = answer(&mut exchange, input).await.err();
    let next = finish::finish(&mut exchange, input, stop).await;
    cut_off.disarm();
    next
}

/// The steps. `Ok`: the target's response has gone to the client, or there was no request.
async fn answer<S: Sys>(exchange: &mut Exchange<'_, S>, input: &mut Buffer) -> Result<(), Stop> {
    if !read_head::read_head(exchange, input).await? {
        return Ok(());
    }
    let decision = decide(&exchange.question());
    let verdict = decision.verdict;
    exchange.note(decision);
    match verdict {
        Verdict::Refuse(failed) => Err(failed.into()),
        Verdict::Reply { rule } => Err(Stop::Reply { rule }),
        Verdict::Forward(forward) => Ok(attempt::forward_and_respond(exchange, input, &forward).await?),
    }
}
