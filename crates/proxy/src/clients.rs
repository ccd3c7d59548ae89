//! The clients of one listener, as one worker has them: who is idle, and in which order they became so.

use std::cell::{Cell, RefCell};
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;

use balance::{IdleOrder, IdlePlace};
use net::{StreamKey, Sys, Worker};
use observe::ListenerCells;

use crate::places::{Places, Scope};
use crate::room::{ClientLimit, Counted};

pub(crate) struct Clients {
    pub(crate) places: Arc<Places>,
    worker: usize,
    /// After a response.
    kept: RefCell<IdleOrder<Note>>,
    /// Who has not begun a first request.
    silent: RefCell<IdleOrder<Note>>,
    published: Cell<Option<u64>>,
    connections: Cell<usize>,
}

#[derive(Clone, Copy)]
struct Note {
    stream: StreamKey,
    /// Whose room it was told to leave.
    evicted: Option<Scope>,
}

impl Clients {
    pub(crate) fn new(places: &Arc<Places>, worker: usize) -> Rc<Self> {
        Rc::new(Self {
            places: Arc::clone(places),
            worker,
            kept: RefCell::default(),
            silent: RefCell::default(),
            published: Cell::new(None),
            connections: Cell::new(0),
        })
    }

    pub(crate) fn cells(&self) -> &ListenerCells {
        self.places.cells.of(self.worker)
    }

    /// A place for one connection, or whose room is full.
    pub(crate) fn take(self: &Rc<Self>) -> Result<Place, Scope> {
        self.places.take()?;
        self.connections.set(self.connections.get() + 1);
        Ok(Place {
            clients: Rc::clone(self),
            evicted: Cell::new(None),
            promised: Cell::new(false),
            counted: None,
        })
    }

    /// Closes as many of the oldest as others want.
    pub(crate) fn evict<S: Sys>(&self, worker: &Worker<S>) {
        for scope in Scope::ALL {
            for _ in 0..self.places.take_wanted(self.worker, scope) {
                match self.take_oldest(scope) {
                    Some(stream) => worker.rouse(stream),
                    None => self.places.room(scope).evicted(),
                }
            }
        }
        self.publish();
    }

    pub(crate) fn are_there(&self) -> bool {
        self.connections.get() > 0
    }

    pub(crate) fn is_wanted(&self) -> bool {
        self.places.is_wanted(self.worker)
    }

    fn order(&self, is_new: bool) -> &RefCell<IdleOrder<Note>> {
        if is_new { &self.silent } else { &self.kept }
    }

    fn take_oldest(&self, scope: Scope) -> Option<StreamKey> {
        let (mut kept, mut silent) = (self.kept.borrow_mut(), self.silent.borrow_mut());
        let silent_since = silent.oldest_since().map(|since| since.saturating_add(SILENT_AT_LEAST_MILLIS));
        let is_silent = match (kept.oldest_since(), silent_since) {
            (Some(kept), Some(silent)) => silent < kept,
            (kept, _) => kept.is_none(),
        };
        let order = if is_silent { &mut *silent } else { &mut *kept };
        Some(order.take_oldest(|note| note.evicted = Some(scope))?.stream)
    }

    fn publish(&self) {
        let silent = self.silent.borrow().oldest_since();
        let silent = silent.map(|since| since.saturating_add(SILENT_AT_LEAST_MILLIS));
        let oldest = match (self.kept.borrow().oldest_since(), silent) {
            (Some(kept), Some(silent)) => Some(kept.min(silent)),
            (kept, silent) => kept.or(silent),
        };
        if self.published.replace(oldest) != oldest {
            self.places.publish(self.worker, oldest);
        }
    }
}

/// A place that a connection has, until its drop.
pub(crate) struct Place {
    pub(crate) clients: Rc<Clients>,
    evicted: Cell<Option<Scope>>,
    promised: Cell<bool>,
    counted: Option<Box<[Option<Counted>; 2]>>,
}

impl Place {
    /// Counts the connection for this client, in the place of whoever it was counted for.
    pub(crate) fn count(&mut self, client: IpAddr) -> Result<(), ClientLimit> {
        self.counted = None;
        let counted = self.clients.places.count(client)?;
        self.counted = counted.iter().any(Option::is_some).then(|| Box::new(counted));
        Ok(())
    }

    /// The connection waits for a request, until the drop of what this returns. It may be told to leave meanwhile.
    pub(crate) fn idle(&self, stream: StreamKey, is_new: bool, now_millis: u64) -> IdleClient<'_> {
        let clients = &*self.clients;
        let place = clients.order(is_new).borrow_mut().enter(now_millis, Note { stream, evicted: None });
        clients.publish();
        if clients.places.is_starving() {
            clients.places.wake();
        }
        IdleClient { client: self, is_new, place }
    }

    /// Whether the connection is to end behind the response that is about to go, because somebody waits for a place and
    /// nobody is idle. The client is told, so that nothing of it is lost.
    pub(crate) fn makes_room(&self) -> bool {
        if !self.promised.get() {
            self.promised.set(self.clients.places.promise());
        }
        self.promised.get()
    }

    /// It was told to leave, and does not: a request had come.
    pub(crate) fn stay(&self) {
        if let Some(scope) = self.evicted.take() {
            self.clients.places.room(scope).evicted();
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.evicted.get().is_some() || self.promised.get() {
            self.clients.cells().connections_evicted.increment();
        }
        self.counted = None;
        self.clients.connections.set(self.clients.connections.get() - 1);
        self.clients.places.give_back();
        self.stay();
    }
}

/// A connection in its idle order.
pub(crate) struct IdleClient<'p> {
    client: &'p Place,
    is_new: bool,
    place: IdlePlace,
}

impl IdleClient<'_> {
    fn order(&self) -> &RefCell<IdleOrder<Note>> {
        self.client.clients.order(self.is_new)
    }

    pub(crate) fn is_evicted(&self) -> bool {
        self.order().borrow().note(&self.place).evicted.is_some()
    }
}

impl Drop for IdleClient<'_> {
    fn drop(&mut self) {
        let note = self.order().borrow_mut().leave(&self.place);
        self.client.evicted.set(note.evicted);
        self.client.clients.publish();
    }
}

// limit: who has only just come may have a request on the way.
const SILENT_AT_LEAST_MILLIS: u64 = 1_000;
