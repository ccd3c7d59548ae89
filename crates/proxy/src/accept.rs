//! Takes connections from the kernel, when there is a place for them (KA10).
//!
//! A place is taken first, then the connection: whoever finds none leaves it in the kernel's queue. See `room`.

use std::cell::Cell;
use std::future::poll_fn;
use std::io;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use model::WhenFull;
use net::{Accepted, Listener, Sys};
use observe::Refusal;

use crate::clients::{Clients, Place};
use crate::connection::{Client, Held, serve};
use crate::local::BoundListener;
use crate::proxy_header;
use crate::room::Waiting;
use crate::stream::Stream;
use crate::waiters::Waiter;
use crate::worker::Proxy;

/// Accepts until the bound closes, and then what waits already.
pub(crate) async fn accept<S: Sys>(
    proxy: Rc<Proxy<S>>,
    bound: Rc<BoundListener<S>>,
    listener: Rc<Listener<S>>,
) {
    let waiter = bound.waiters.waiter();
    while let Some(ready) = next(&bound, &waiter, &listener).await {
        match ready {
            Ok(()) => take_next(&proxy, &bound, &waiter, &listener).await,
            Err(error) => failed(&proxy, &error).await,
        }
    }
    // invariant: whoever the kernel has already connected is served, if there is a place soon.
    let _hold = proxy.hold();
    while listener.has_waiting() {
        let Some(place) = last_place(&proxy, &bound).await else { break };
        match listener.try_accept() {
            Some(Ok(accepted)) => admit(&proxy, &bound, accepted, place),
            Some(Err(error)) if is_passing(&error) => {}
            Some(Err(_)) | None => break,
        }
    }
}

/// `None`: the bound closes.
async fn next<S: Sys>(
    bound: &BoundListener<S>,
    waiter: &Waiter<'_>,
    listener: &Listener<S>,
) -> Option<io::Result<()>> {
    poll_fn(|context| {
        if bound.poll_closes(context, waiter).is_ready() {
            return Poll::Ready(None);
        }
        listener.poll_readable(context).map(Some)
    })
    .await
}

async fn take_next<S: Sys>(
    proxy: &Rc<Proxy<S>>,
    bound: &Rc<BoundListener<S>>,
    waiter: &Waiter<'_>,
    listener: &Listener<S>,
) {
    let found = match bound.clients().take() {
        Ok(place) => Found::Place(place),
        // Nobody is evicted for nobody.
        Err(_) if !listener.has_waiting() => return,
        Err(_) => Box::pin(wait_for_place(proxy, bound, waiter)).await,
    };
    if matches!(found, Found::Closing) {
        return;
    }
    match (listener.try_accept(), found) {
        (Some(Ok(accepted)), Found::Place(place)) => admit(proxy, bound, accepted, place),
        (Some(Ok(accepted)), _) => {
            proxy.cells().connections_accepted.increment();
            refuse(&bound.clients(), accepted, Refusal::Full);
        }
        (Some(Err(error)), found) => {
            // Others may have the place meanwhile.
            drop(found);
            failed(proxy, &error).await;
        }
        (None, _) => {}
    }
}

enum Found {
    Place(Place),
    /// Every connection is in use, and who comes is to be refused.
    Nobody,
    Closing,
}

/// Waits until a connection ends or is evicted.
async fn wait_for_place<S: Sys>(proxy: &Proxy<S>, bound: &BoundListener<S>, waiter: &Waiter<'_>) -> Found {
    let listener = Rc::clone(&bound.listener.borrow());
    listener.cells().accepts_waiting.increment();
    let mut waiting = None;
    let found = loop {
        tokio::select! {
            biased;
            found = poll_fn(|context| poll_place(context, proxy, bound, waiter, &mut waiting)) => break found,
            // Who has just connected may be evicted in a while, which nobody tells.
            () = proxy.worker.sleep(LOOK_AGAIN) => {}
        }
    };
    listener.cells().accepts_waiting.decrement();
    found
}

fn poll_place<S: Sys>(
    context: &mut Context<'_>,
    proxy: &Proxy<S>,
    bound: &BoundListener<S>,
    waiter: &Waiter<'_>,
    waiting: &mut Option<Waiting>,
) -> Poll<Found> {
    if bound.poll_closes(context, waiter).is_ready() {
        return Poll::Ready(Found::Closing);
    }
    if let Some(place) = try_place(context, bound, waiting) {
        return Poll::Ready(Found::Place(place));
    }
    let is_coming = waiting.as_mut().is_none_or(|waiting| waiting.ask(proxy.now_millis()));
    if is_coming || bound.listener.borrow().plan.http.when_full == WhenFull::Wait {
        Poll::Pending
    } else {
        Poll::Ready(Found::Nobody)
    }
}

/// A place, or leaves the task to be woken when one comes free.
fn try_place<S: Sys>(
    context: &Context<'_>,
    bound: &BoundListener<S>,
    waiting: &mut Option<Waiting>,
) -> Option<Place> {
    let clients = bound.clients();
    let mut tried = None;
    loop {
        let scope = match clients.take() {
            Ok(place) => {
                *waiting = None;
                return Some(place);
            }
            Err(scope) if tried == Some(scope) => return None,
            Err(scope) => scope,
        };
        let room = clients.places.room(scope);
        if waiting.as_ref().is_none_or(|waiting| !waiting.is_in(room)) {
            *waiting = Some(Waiting::begin(room, scope));
        }
        waiting.iter().for_each(|waiting| waiting.register(context.waker()));
        // A place that came free before this was known woke nobody: once more.
        tried = Some(scope);
    }
}

/// A place for who was connected before the bound closed; what is idle makes room by itself then.
async fn last_place<S: Sys>(proxy: &Proxy<S>, bound: &BoundListener<S>) -> Option<Place> {
    if let Ok(place) = bound.clients().take() {
        return Some(place);
    }
    let mut waiting = None;
    tokio::select! {
        biased;
        place = poll_fn(|context| match try_place(context, bound, &mut waiting) {
            Some(place) => Poll::Ready(place),
            None => Poll::Pending,
        }) => Some(place),
        () = proxy.worker.sleep(LAST_PATIENCE) => None,
    }
}

fn admit<S: Sys>(
    proxy: &Rc<Proxy<S>>,
    bound: &Rc<BoundListener<S>>,
    accepted: Accepted<S>,
    mut place: Place,
) {
    proxy.cells().connections_accepted.increment();
    if !proxy.has_descriptors(accepted.descriptor) {
        return refuse(&place.clients, accepted, Refusal::Descriptors);
    }
    // Who comes in another's name is counted when that is known.
    let is_passed_on = proxy_header::is_due(bound, accepted.peer);
    if !is_passed_on && place.count(accepted.peer.ip()).is_err() {
        return refuse(&place.clients, accepted, Refusal::ClientLimit);
    }
    let cells = place.clients.cells();
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
        held: Held::Connection(place),
    };
    proxy.worker.spawn(serve(Box::new(client)));
}

fn refuse<S: Sys>(clients: &Clients, accepted: Accepted<S>, reason: Refusal) {
    clients.cells().connections_refused.count(reason);
    drop(accepted);
}

/// `accept` fails when this process or the machine is out of descriptors or memory: with a rest, what is open goes
/// on, and what waits in the kernel's queue is taken when there is room again.
async fn failed<S: Sys>(proxy: &Proxy<S>, error: &io::Error) {
    proxy.cells().accept_errors.increment();
    if !is_passing(error) {
        observe::event(model::LogLevel::Error, "cannot accept connections", &[("error", error)]);
        proxy.free_descriptor();
        proxy.worker.sleep(ACCEPT_REST).await;
    }
}

/// The connection ended while it waited in the queue; the next one is not concerned.
fn is_passing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset)
}

const ACCEPT_REST: Duration = Duration::from_millis(100);
const LOOK_AGAIN: Duration = Duration::from_millis(200);
const LAST_PATIENCE: Duration = Duration::from_secs(1);
