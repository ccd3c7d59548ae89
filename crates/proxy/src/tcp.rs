//! The story of a TCP connection whose bytes are passed on as they are (L41).
//!
//! ```text
//! (look) → decide → (persist) → choose → connect → (introduce) → relay → finish
//! ```
//!
//! `connection` accepts it, reads a PROXY header and makes the TLS handshake as it does for HTTP, then comes here.
//! [`serve`] begins a [`TcpExchange`], tells the steps in their order, and always ends in `finish`.

mod exchange;
mod finish;
mod introduce;
mod look;
mod reach;
mod relay;
mod tell;
#[cfg(test)]
mod tests;

use model::ConnectionEnd;
use net::{Buffer, Sys};

use crate::connection::{Client, Expected, close_in_stages};
use crate::decide::decide_tcp;
use crate::failed::Failed;
use crate::relay::{CutOff, Meter};
use exchange::TcpExchange;

/// Serves a connection until it closes. `input` is what has been read from the client.
pub(crate) async fn serve<S: Sys>(client: Box<Client<S>>, input: Buffer) {
    client.permit().stay();
    let meter = Meter::default();
    let cut_off = CutOff(&client.stream);
    let mut exchange = TcpExchange::begin(&client, &meter);
    let ended = answer(&mut exchange, input).await;
    let is_told = finish::finish(&mut exchange, ended);
    cut_off.disarm();
    if is_told {
        // A reset would destroy the alert before the client has read it.
        drop(exchange);
        Box::pin(close_in_stages(&client, Expected::More)).await;
    }
}

/// The steps. `Err`: no byte has gone to a target.
async fn answer<S: Sys>(
    exchange: &mut TcpExchange<'_, S>,
    mut input: Buffer,
) -> Result<ConnectionEnd, Failed> {
    if exchange.is_look_due() {
        exchange.hello = Box::pin(look::look(exchange, &mut input)).await?;
    }
    let decision = decide_tcp(&exchange.question());
    exchange.route.rule = decision.rule;
    let rule = decision.verdict?;
    // On the heap, as long as it takes: the connection may then last for days.
    let reached = Box::pin(reach::reach(exchange, rule)).await?;
    Ok(relay::relay(exchange, reached, input).await)
}
