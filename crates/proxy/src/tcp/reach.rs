//! Gives a connection to a target: to another one if it cannot be connected, because no byte has gone anywhere yet.

use std::rc::Rc;

use model::{Failure, ProxyVersion};
use net::Sys;

use super::exchange::TcpExchange;
use crate::connection::Client;
use crate::decide::choice_key;
use crate::failed::Failed;
use crate::local::LocalListener;
use crate::persist::Facts;
use crate::session::{self, Begun};
use crate::target::{
    Attempts, InFlight, LocalGroup, LocalTarget, Missed, Repeatable, TargetConnection, choose, establish,
    note_connected, note_not_connected,
};

/// A target that has accepted the connection.
pub(super) struct Reached<S: Sys> {
    pub(super) connection: TargetConnection<S>,
    /// The PROXY header with which it begins.
    pub(super) introduction: Option<ProxyVersion>,
    /// Counts as one of the target's, for `least_connections`.
    pub(super) _in_flight: InFlight<S>,
}

/// Chooses a target of the rule's groups and connects to it.
pub(super) async fn reach<S: Sys>(
    exchange: &mut TcpExchange<'_, S>,
    rule: usize,
) -> Result<Reached<S>, Failed> {
    let (began, listener) = (exchange.client.proxy.worker.now(), Rc::clone(&exchange.listener));
    let (index, group) = begin(exchange, &listener, rule).await.ok_or(Failure::NoTarget)?;
    exchange.route.group = Some(index);
    let reached = try_targets(exchange, group).await;
    if exchange.route.attempts > 0 {
        exchange.connect_micros = Some(exchange.micros_since(began));
    }
    reached
}

/// The group of the session, or the next one by weight.
async fn begin<'l, S: Sys>(
    exchange: &mut TcpExchange<'_, S>,
    listener: &'l LocalListener<S>,
    rule: usize,
) -> Option<(usize, &'l LocalGroup<S>)> {
    let proxy = &exchange.client.proxy;
    let facts = Facts {
        request: None,
        arrival: &exchange.arrival,
        source: exchange.source,
        unix_seconds: proxy.worker.wall() / 1_000_000,
        now_millis: proxy.now_millis(),
    };
    let Begun { index, group, session } = session::begin(&proxy.worker, listener, rule, &facts)?;
    exchange.session = session;
    if session::is_to_be_looked_up(&proxy.worker, exchange.session.as_ref())
        && let Some(found) = session::look(&proxy.worker, &mut exchange.session, listener, rule).await
    {
        return Some(found);
    }
    Some((index, group))
}

async fn try_targets<S: Sys>(
    exchange: &mut TcpExchange<'_, S>,
    group: &LocalGroup<S>,
) -> Result<Reached<S>, Failed> {
    let client = exchange.client;
    let key = choice_key(&group.plan.group.algorithm, None, exchange.source);
    let (mut attempts, mut last) = (Attempts::default(), None);
    while attempts.may_begin() {
        let session = exchange.session.as_ref();
        let ask = session::ask(session, key, attempts.tried, client.proxy.now_millis());
        let choice = choose(&group.plan, &group.cursor, &ask, &mut client.proxy.random.borrow_mut());
        let Some(choice) = choice else { break };
        let (worker, session) = (&client.proxy.worker, &mut exchange.session);
        let mut chosen = session::settle(worker, session, group, choice, &attempts.tried);
        if session::is_to_be_told(session.as_ref()) {
            chosen = session::agree(worker, session, group, chosen, &attempts.tried).await;
        }
        let target = &group.targets[chosen];
        let Some(in_flight) = InFlight::begin(target, group.plan.group.max_connections) else {
            attempts.place_lost();
            continue;
        };
        exchange.route.attempts = attempts.begin();
        exchange.route.target = Some(target.live.key().address);
        let failed = match attempt(client, group, target).await {
            Ok(connection) => {
                let introduction = group.plan.group.proxy_protocol_out;
                return Ok(Reached { connection, introduction, _in_flight: in_flight });
            }
            Err(failed) => failed,
        };
        drop(in_flight);
        last = Some(failed);
        target.cells().failures.count(failed.failure);
        target.live.request_failed(failed, client.proxy.now_millis());
        if !attempts.goes_on_after(chosen, &Missed::new(failed, true), ONCE) {
            break;
        }
    }
    Err(last.unwrap_or_else(|| attempts.why_none(&group.plan).into()))
}

/// One connect to one target. It ends early if the client goes away.
async fn attempt<S: Sys>(
    client: &Client<S>,
    group: &LocalGroup<S>,
    target: &Rc<LocalTarget<S>>,
) -> Result<TargetConnection<S>, Failed> {
    let (proxy, began) = (&client.proxy, client.proxy.worker.now());
    let connecting = establish(&proxy.worker, target, group.plan.group.timeouts.connect);
    let connected = tokio::select! {
        biased;
        connected = connecting => connected,
        () = std::future::poll_fn(|context| client.stream.poll_gone(context)) => {
            return Err(Failure::ClientAborted.into());
        }
    };
    match connected {
        Ok(connection) => {
            note_connected(target, proxy.worker.now().saturating_sub(began) / 1_000);
            Ok(connection)
        }
        Err(failed) => {
            note_not_connected(&target.live, began / 1_000_000, proxy.now_millis(), failed);
            Err(failed)
        }
    }
}

/// Bytes cannot be sent twice, since it is not known what they mean.
const ONCE: Repeatable = Repeatable { is_idempotent: false, is_body_kept: false, is_answered: false };
