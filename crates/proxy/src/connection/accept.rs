//! Accepts connections from the kernel, while the limits allow it (KA10).
//!
//! A permit is taken first, then the connection. Without a permit the connection stays in the kernel's accept queue.
//! See `balance::connection_limit`.

use std::cell::Cell;
use std::future::poll_fn;
use std::io;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use balance::connection_limit::take_or_wait;
use model::WhenFull;
use net::{Accepted, Listener, Sys};
use observe::{ListenerCells, Refusal};

use super::accept_error::{Failures, Reaction};
use super::client::{Client, Held};
use super::limit::Waiting;
use super::permit::Permit;
use super::proxy_header;
use super::refused::{refused, waits};
use super::serve;
use super::waiters::Waiter;
use crate::local::{Accepting, BoundListener, LocalListener};
use crate::stream::Stream;
use crate::worker::Proxy;

/// Accepts until the bound listener does not any more; then accepts what is in the accept queue, unless another process does.
pub(crate) async fn accept<S: Sys>(
    proxy: Rc<Proxy<S>>,
    bound: Rc<BoundListener<S>>,
    listener: Rc<Listener<S>>,
) {
    let waiter = bound.waiters.waiter();
    let mut failures = Failures::default();
    while let Some(ready) = next(&bound, &waiter, &listener).await {
        let taken = match ready {
            Ok(()) => take_next(&proxy, &bound, &waiter, &listener).await,
            Err(error) => Err(error),
        };
        match taken {
            Ok(true) => failures.end(),
            Ok(false) => {}
            Err(error) => failed(&proxy, &mut failures, &error).await,
        }
    }
    // invariant: a connection that the kernel has already made is served, if there is a permit soon.
    let _hold = proxy.hold();
    while bound.accepting.get() != Accepting::No && listener.has_waiting() {
        let Some(permit) = last_permit(&proxy, &bound).await else { break };
        match listener.try_accept() {
            Some(Ok(accepted)) => admit(&proxy, &bound, accepted, permit),
            Some(Err(error)) if failures.react(&error) == Reaction::GoOn => {}
            Some(Err(_)) | None => break,
        }
    }
}

/// Waits for a connection. `None`: the bound listener accepts no more.
async fn next<S: Sys>(
    bound: &BoundListener<S>,
    waiter: &Waiter<'_>,
    listener: &Listener<S>,
) -> Option<io::Result<()>> {
    poll_fn(|context| {
        if bound.poll_accepts_no_more(context, waiter).is_ready() {
            return Poll::Ready(None);
        }
        listener.poll_readable(context).map(Some)
    })
    .await
}

/// Takes the next connection when it has a permit. False: there is none, or none was taken.
async fn take_next<S: Sys>(
    proxy: &Rc<Proxy<S>>,
    bound: &Rc<BoundListener<S>>,
    waiter: &Waiter<'_>,
    listener: &Listener<S>,
) -> io::Result<bool> {
    let found = match Permit::take(&bound.idle_connections()) {
        Ok(permit) => Found::Permit(permit),
        // A connection is evicted only while an accept is waiting.
        Err(_) if !listener.has_waiting() => return Ok(false),
        Err(_) => Box::pin(wait_for_permit(proxy, bound, waiter)).await,
    };
    if matches!(found, Found::Closing) {
        return Ok(false);
    }
    // The permit is given back before the pause that an error may ask for.
    let Some(accepted) = listener.try_accept().transpose()? else { return Ok(false) };
    match found {
        Found::Permit(permit) => admit(proxy, bound, accepted, permit),
        Found::Full(reason) => {
            proxy.cells().connections_accepted.increment();
            refuse(bound.idle_connections().cells(), bound, accepted, reason);
        }
        Found::Closing => {}
    }
    Ok(true)
}

enum Found {
    Permit(Permit),
    /// All connections are in use, and the new one is to be refused.
    Full(Refusal),
    Closing,
}

/// Waits for a permit: until a connection closes or is evicted.
async fn wait_for_permit<S: Sys>(proxy: &Proxy<S>, bound: &BoundListener<S>, waiter: &Waiter<'_>) -> Found {
    let _counted = Counted::new(&bound.listener.borrow());
    let (mut waiting, mut is_told) = (None, false);
    loop {
        tokio::select! {
            biased;
            found = poll_fn(|context| poll_permit(context, proxy, bound, waiter, &mut waiting)) => return found,
            // A new connection may be evicted after a while, and no wake-up tells when.
            () = proxy.worker.sleep(LOOK_AGAIN) => if !std::mem::replace(&mut is_told, true) { waits(bound) },
        }
    }
}

/// A waiting accept in the metrics.
struct Counted<S: Sys>(Rc<LocalListener<S>>);

impl<S: Sys> Counted<S> {
    fn new(listener: &Rc<LocalListener<S>>) -> Self {
        listener.cells().accepts_waiting.increment();
        Self(Rc::clone(listener))
    }
}

impl<S: Sys> Drop for Counted<S> {
    fn drop(&mut self) {
        self.0.cells().accepts_waiting.decrement();
    }
}

fn poll_permit<S: Sys>(
    context: &mut Context<'_>,
    proxy: &Proxy<S>,
    bound: &BoundListener<S>,
    waiter: &Waiter<'_>,
    waiting: &mut Option<Waiting>,
) -> Poll<Found> {
    if bound.poll_accepts_no_more(context, waiter).is_ready() {
        return Poll::Ready(Found::Closing);
    }
    if let Some(permit) = try_permit(context, bound, waiting) {
        return Poll::Ready(Found::Permit(permit));
    }
    let is_coming = waiting.as_mut().is_none_or(|waiting| waiting.ask(proxy.now_millis()));
    if is_coming {
        return Poll::Pending;
    }
    if waiting.as_ref().is_some_and(Waiting::is_for_descriptor) {
        // One of this worker may be idle that it has not published.
        return if proxy.close_coldest() {
            Poll::Pending
        } else {
            Poll::Ready(Found::Full(Refusal::Descriptors))
        };
    }
    match bound.listener.borrow().plan.when_full {
        WhenFull::Wait => Poll::Pending,
        WhenFull::Refuse => Poll::Ready(Found::Full(Refusal::Full)),
    }
}

/// Takes a permit, or leaves the task to be woken when one may be free.
fn try_permit<S: Sys>(
    context: &Context<'_>,
    bound: &BoundListener<S>,
    waiting: &mut Option<Waiting>,
) -> Option<Permit> {
    let connections = bound.idle_connections();
    let wait = |scope| {
        let limit = connections.limits.limit(scope);
        if waiting.as_ref().is_none_or(|waiting| !waiting.is_in(limit)) {
            *waiting = Some(Waiting::begin(limit, scope));
        }
        waiting.iter().for_each(|waiting| waiting.register(context.waker()));
    };
    let permit = take_or_wait(|| Permit::take(&connections), wait)?;
    *waiting = None;
    Some(permit)
}

/// A permit for a connection that was made before the bound listener closed. Idle connections end by themselves then.
async fn last_permit<S: Sys>(proxy: &Proxy<S>, bound: &BoundListener<S>) -> Option<Permit> {
    if let Ok(permit) = Permit::take(&bound.idle_connections()) {
        return Some(permit);
    }
    let mut waiting = None;
    tokio::select! {
        biased;
        permit = poll_fn(|context| match try_permit(context, bound, &mut waiting) {
            Some(permit) => Poll::Ready(permit),
            None => Poll::Pending,
        }) => Some(permit),
        () = proxy.worker.sleep(LAST_PATIENCE) => None,
    }
}

fn admit<S: Sys>(
    proxy: &Rc<Proxy<S>>,
    bound: &Rc<BoundListener<S>>,
    accepted: Accepted<S>,
    mut permit: Permit,
) {
    proxy.cells().connections_accepted.increment();
    // A connection with a PROXY header is counted when its client is known.
    let is_passed_on = proxy_header::is_due(bound, accepted.peer);
    if !is_passed_on && permit.count(accepted.peer.ip()).is_err() {
        return refuse(permit.cells(), bound, accepted, Refusal::ClientLimit);
    }
    let cells = permit.cells();
    cells.connections_accepted.increment();
    cells.connections_open.increment();
    proxy.connection_opened();
    let client = Client {
        proxy: Rc::clone(proxy),
        bound: Rc::clone(bound),
        stream: Stream::plain(accepted.stream),
        peer: accepted.peer,
        passed_on: None,
        requests: 0,
        is_dismissed: Cell::new(false),
        is_plain: false,
        held: Held::Connection(permit),
    };
    proxy.worker.spawn(serve(Box::new(client)));
}

fn refuse<S: Sys>(cells: &ListenerCells, bound: &BoundListener<S>, accepted: Accepted<S>, reason: Refusal) {
    refused(cells, bound, accepted.peer, reason);
    if bound.listener.borrow().plan.is_tcp() {
        // An end of stream would be an answer.
        accepted.stream.abort_on_close();
    }
    drop(accepted);
}

/// After an error of `accept`. Open connections go on meanwhile, and new ones stay in the accept queue.
async fn failed<S: Sys>(proxy: &Proxy<S>, failures: &mut Failures, error: &io::Error) {
    proxy.cells().accept_errors.increment();
    let reaction = failures.react(error);
    if reaction != Reaction::GoOn && failures.is_news() {
        observe::event(observe::Event::AcceptFailed, &[("error", error)]);
    }
    match reaction {
        Reaction::GoOn => {}
        // What is closed is closed by tasks that run first.
        Reaction::Free if proxy.free_descriptor() => proxy.worker.yield_now().await,
        Reaction::Free | Reaction::Rest => proxy.worker.sleep(ACCEPT_REST).await,
    }
}

const ACCEPT_REST: Duration = Duration::from_millis(100);
const LOOK_AGAIN: Duration = Duration::from_millis(200);
const LAST_PATIENCE: Duration = Duration::from_secs(1);
