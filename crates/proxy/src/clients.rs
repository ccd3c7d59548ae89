//! The clients of one listener, as one worker has them: who is idle, and in which order they became so.

use std::cell::{Cell, RefCell};
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;

use balance::{IdleOrder, IdlePlace};
use net::{StreamKey, Sys, Worker};
use observe::ListenerCells;

use crate::places::{Places, Scope};
use crate::room::{CLOCKS_APART_MILLIS, ClientLimit, Counted};

pub(crate) struct Clients {
    pub(crate) places: Arc<Places>,
    worker: usize,
    /// After a response.
    kept: RefCell<IdleOrder<Note>>,
    /// Who has not begun a first request.
    silent: RefCell<IdleOrder<Note>>,
    published: Cell<Option<u64>>,
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
        })
    }

    pub(crate) fn cells(&self) -> &ListenerCells {
        self.places.cells.of(self.worker)
    }

    /// A place for one connection, or whose room is full.
    pub(crate) fn take(self: &Rc<Self>) -> Result<Place, Scope> {
        self.places.take()?;
        Ok(Place {
            clients: Rc::clone(self),
            evicted: Cell::new(None),
            promised: Cell::new(None),
            counted: None,
        })
    }

    /// Closes as many of the oldest as others want.
    pub(crate) fn evict<S: Sys>(&self, worker: &Worker<S>, now_millis: u64) {
        for scope in Scope::ALL {
            for _ in 0..self.places.take_wanted(self.worker, scope) {
                match self.take_oldest(scope, now_millis) {
                    Some(stream) => worker.rouse(stream),
                    None => self.places.room(scope).evicted(),
                }
            }
        }
    }

    pub(crate) fn is_wanted(&self) -> bool {
        self.places.is_wanted(self.worker)
    }

    fn order(&self, is_new: bool) -> &RefCell<IdleOrder<Note>> {
        if is_new { &self.silent } else { &self.kept }
    }

    // invariant: whether it may go is asked here again. Several may want one for the same that was published, and who is
    // next in line has perhaps only just come.
    fn take_oldest(&self, scope: Scope, now_millis: u64) -> Option<StreamKey> {
        let (since, is_new) = self.oldest()?;
        if since > now_millis.saturating_add(CLOCKS_APART_MILLIS) {
            return None;
        }
        let note = self.order(is_new).borrow_mut().take_oldest(|note| note.evicted = Some(scope))?;
        self.publish();
        Some(note.stream)
    }

    /// Since when the oldest counts as idle, and whether it has not begun a first request.
    fn oldest(&self) -> Option<(u64, bool)> {
        let kept = self.kept.borrow().oldest_since().map(|since| (since, false));
        let silent = self.silent.borrow().oldest_since();
        let silent = silent.map(|since| (since.saturating_add(SILENT_AT_LEAST_MILLIS), true));
        kept.into_iter().chain(silent).min()
    }

    fn publish(&self) {
        let oldest = self.oldest().map(|(since, _)| since);
        if self.published.replace(oldest) != oldest {
            self.places.publish(self.worker, oldest);
        }
    }
}

impl Drop for Clients {
    // invariant: what is wanted of nobody is answered, or its room would wait for it and evict no more.
    fn drop(&mut self) {
        self.places.decline(self.worker);
    }
}

/// A place that a connection has, until its drop.
pub(crate) struct Place {
    pub(crate) clients: Rc<Clients>,
    evicted: Cell<Option<Scope>>,
    /// To whose room.
    promised: Cell<Option<Scope>>,
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
        if self.promised.get().is_none() {
            self.promised.set(self.clients.places.promise());
        }
        self.promised.get().is_some()
    }

    /// Whether a response was the last for the sake of others.
    pub(crate) fn has_promised(&self) -> bool {
        self.promised.get().is_some()
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
        if self.evicted.get().is_some() || self.promised.get().is_some() {
            self.clients.cells().connections_evicted.increment();
        }
        self.counted = None;
        self.clients.places.give_back();
        if let Some(scope) = self.promised.get() {
            self.clients.places.room(scope).kept_promise();
        }
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

#[cfg(test)]
mod tests {
    use model::{ListenerName, LoadBalancerName};
    use net::{Linux, TcpStream};

    use super::*;
    use crate::live::Live;

    /// With two streams of a worker.
    fn with_streams(test: impl FnOnce(&Worker<Linux>, [StreamKey; 2]) + 'static) {
        let socket = net::bind("127.0.0.1:0".parse().unwrap(), None).unwrap();
        let address = socket.local_address().unwrap();
        let main = |worker: Worker<Linux>| async move {
            let streams = [(); 2].map(|()| TcpStream::connect(&worker, address).unwrap());
            test(&worker, [streams[0].key(), streams[1].key()]);
        };
        Worker::run(Linux::new().unwrap(), main).unwrap();
    }

    fn places() -> Arc<Places> {
        Live::new(1).places(&ListenerName::new("web"), &LoadBalancerName::new("main"))
    }

    #[test]
    fn who_has_only_just_come_stays_however_many_are_wanted() {
        with_streams(|worker, [kept, fresh]| {
            let places = places();
            let clients = Clients::new(&places, 0);
            let (one, other) = (clients.take().unwrap(), clients.take().unwrap());
            let kept = one.idle(kept, false, 5_000);
            let fresh = other.idle(fresh, true, 5_500);
            let evict = |now| places.room(Scope::Listener).evict_oldest(Scope::Listener, now, 2);
            assert!(evict(6_000) && evict(6_000), "both rest on the one that was published");
            clients.evict(worker, 6_000);
            assert!(kept.is_evicted() && !fresh.is_evicted());
            assert!(!evict(6_000), "nobody else is idle for long enough");
            assert!(evict(6_500), "the want that found nobody is answered");
            clients.evict(worker, 6_500);
            assert!(fresh.is_evicted());
        });
    }

    #[test]
    fn what_was_wanted_of_those_that_are_gone_is_answered() {
        with_streams(|_, [stream, _]| {
            let places = places();
            for _ in 0..2 {
                let clients = Clients::new(&places, 0);
                let place = clients.take().unwrap();
                let _idle = place.idle(stream, false, 5_000);
                assert!(places.room(Scope::Listener).evict_oldest(Scope::Listener, 6_000, 1));
            }
        });
    }
}
