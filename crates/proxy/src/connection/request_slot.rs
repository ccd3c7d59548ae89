//! Request slots: the futures in which requests are served, made once and reused.
//!
//! The state of a request lives in one large future (about 3 KiB). Allocating, filling and freeing it for each request
//! would cost more than reading the head, and an idle connection must not hold it. So a worker keeps a few of these
//! futures, which never end: a connection takes a slot with its first byte and returns it when it is idle again.

use std::cell::Cell;
use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;

use net::{Buffer, Sys};

use super::client::Client;
use super::free_slots::FreeSlots;
use crate::http::{self, Next};

/// A future that serves requests, and the way into it.
struct RequestSlot<S: Sys> {
    handover: Rc<Handover<S>>,
    service: Pin<Box<dyn Future<Output = Infallible>>>,
}

/// A connection on its way into a slot and out of it.
struct Handover<S: Sys> {
    comes: Cell<Option<(Box<Client<S>>, Buffer)>>,
    goes: Cell<Option<(Box<Client<S>>, Next)>>,
}

/// Serves the requests that the client has sent, until its connection is idle again or ends. The returned future is
/// small, because it is a part of the future of an idle connection too.
// invariant: if the wait is dropped or panics, the slot is dropped with the request. Only a slot whose request is
// complete is used again.
pub(crate) fn serve<S: Sys>(
    client: Box<Client<S>>,
    input: Buffer,
) -> impl Future<Output = (Box<Client<S>>, Next)> {
    // What was read before, as of a handshake, was not of HTTP messages; `input` is. A stream of HTTP/2 begins here.
    client.stream.count_for(client.permit().traffic(), input.len());
    let mut taken = Some(take(&client.proxy.free_slots));
    if let Some(slot) = &taken {
        slot.handover.comes.set(Some((client, input)));
    }
    poll_fn(move |context| {
        let Some(slot) = &mut taken else { return Poll::Pending };
        let Poll::Pending = slot.service.as_mut().poll(context);
        let Some((client, next)) = slot.handover.goes.take() else { return Poll::Pending };
        taken.take().into_iter().for_each(|slot| client.proxy.free_slots.give_back(slot));
        Poll::Ready((client, next))
    })
}

fn take<S: Sys>(free: &FreeSlots) -> Box<RequestSlot<S>> {
    free.take().unwrap_or_else(|| {
        let handover = Rc::new(Handover { comes: Cell::default(), goes: Cell::default() });
        Box::new(RequestSlot { service: Box::pin(service(Rc::clone(&handover))), handover })
    })
}

async fn service<S: Sys>(handover: Rc<Handover<S>>) -> Infallible {
    loop {
        let (mut client, input) = poll_fn(|_| handover.comes.take().map_or(Poll::Pending, Poll::Ready)).await;
        let next = http::serve_requests(&mut client, input).await;
        handover.goes.set(Some((client, next)));
    }
}
