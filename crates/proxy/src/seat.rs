//! Where requests are served: a future that is made once and used again.
//!
//! All that a request may need lives in one large future. To find, fill and free 3 KiB for each request would cost more
//! than reading its head, and an idle connection is to hold nothing of the kind. So a worker keeps a few such futures
//! that never end: a connection takes a seat with its first byte, is served, and rises.

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;

use net::{Buffer, Sys};

use crate::connection::Client;
use crate::http::{self, Next};

/// The seats of a worker that nobody sits on.
pub(crate) struct Seats<S: Sys>(RefCell<Vec<Seat<S>>>);

struct Seat<S: Sys> {
    guest: Rc<Guest<S>>,
    service: Pin<Box<dyn Future<Output = Infallible>>>,
}

/// Who is handed over, in and out.
struct Guest<S: Sys> {
    comes: Cell<Option<(Box<Client<S>>, Buffer)>>,
    goes: Cell<Option<(Box<Client<S>>, Next)>>,
}

impl<S: Sys> Default for Seats<S> {
    fn default() -> Self {
        Self(RefCell::default())
    }
}

impl<S: Sys> Seats<S> {
    /// Serves what the client has sent, until its connection is idle again or ends. What this returns is small: it
    /// takes room in the future of an idle connection too.
    // invariant: a wait that is given up, or a panic, drops the seat and the request with it; only a seat that has done
    // its work is used again.
    pub(crate) fn serve(
        client: Box<Client<S>>,
        input: Buffer,
    ) -> impl Future<Output = (Box<Client<S>>, Next)> {
        let mut taken = Some(client.proxy.seats.take());
        if let Some(seat) = &taken {
            seat.guest.comes.set(Some((client, input)));
        }
        poll_fn(move |context| {
            let Some(seat) = &mut taken else { return Poll::Pending };
            let Poll::Pending = seat.service.as_mut().poll(context);
            let Some((client, next)) = seat.guest.goes.take() else { return Poll::Pending };
            taken.take().into_iter().for_each(|seat| client.proxy.seats.give_back(seat));
            Poll::Ready((client, next))
        })
    }

    fn take(&self) -> Seat<S> {
        self.0.borrow_mut().pop().unwrap_or_else(|| {
            let guest = Rc::new(Guest { comes: Cell::default(), goes: Cell::default() });
            Seat { service: Box::pin(service(Rc::clone(&guest))), guest }
        })
    }

    fn give_back(&self, seat: Seat<S>) {
        let mut seats = self.0.borrow_mut();
        if seats.len() < SEATS_MAX {
            seats.push(seat);
        }
    }
}

async fn service<S: Sys>(guest: Rc<Guest<S>>) -> Infallible {
    loop {
        let (mut client, input) = poll_fn(|_| guest.comes.take().map_or(Poll::Pending, Poll::Ready)).await;
        let next = http::serve_requests(&mut client, input).await;
        guest.goes.set(Some((client, next)));
    }
}

// limit: seats kept by a worker, about 1 MiB.
const SEATS_MAX: usize = 256;
