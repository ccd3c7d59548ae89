//! What the tasks of one worker share.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Waker;

use balance::Rng;
use balance::connection_limit::Scope;
use net::{Sys, Worker};
use observe::WorkerCells;
use proto::compression::Encoders;

use crate::connection::free_slots::FreeSlots;
use crate::connection::revocation_watch::RevocationWatch;
use crate::date::DateCache;
use crate::http::HeadPool;
use crate::live::Live;
use crate::local::{BoundListener, Local};
use crate::nonces::Nonces;

pub(crate) struct Proxy<S: Sys> {
    pub(crate) worker: Worker<S>,
    pub(crate) live: Arc<Live>,
    pub(crate) number: usize,
    /// For choices between equals. What it returns must not reach a peer: it gives away what follows.
    pub(crate) random: RefCell<Rng>,
    /// For numbers that peers see.
    pub(crate) nonces: RefCell<Nonces>,
    pub(crate) heads: HeadPool,
    pub(crate) encoders: RefCell<Encoders>,
    pub(crate) free_slots: FreeSlots,
    pub(crate) revocation_watch: Rc<RevocationWatch>,
    /// Where heads are put together before they are sent.
    pub(crate) scratch: RefCell<Vec<u8>>,
    pub(super) descriptors: Descriptors,
    pub(crate) stopping: Cell<bool>,
    pub(crate) date: DateCache,
    pub(super) local: RefCell<Rc<Local<S>>>,
    pub(super) bound_listeners: RefCell<HashMap<SocketAddr, Rc<BoundListener<S>>>>,
    pub(super) connections: Cell<usize>,
    pub(super) waiting_for_last: RefCell<Option<Waker>>,
}

/// Limits on descriptor numbers: the kernel gives the lowest free number.
#[derive(Clone, Copy)]
pub(crate) struct Descriptors {
    /// Higher numbers are for targets, logs and the admin socket: for a client, another connection must close first.
    for_clients: i32,
    /// No client gets a higher number.
    most: i32,
}

impl Descriptors {
    pub(crate) fn within(limit: u64) -> Self {
        let number = |number| i32::try_from(number).unwrap_or(i32::MAX);
        Self { for_clients: number(limit - limit / 16), most: number(limit - limit / 32) }
    }
}

impl<S: Sys> Proxy<S> {
    pub(crate) fn cells(&self) -> &WorkerCells {
        self.live.worker_cells().of(self.number)
    }

    pub(crate) fn now_millis(&self) -> u64 {
        self.worker.now() / 1_000_000
    }

    /// True if a client may have this descriptor. A connection that is not in use may be closed for it.
    pub(crate) fn has_descriptors(&self, descriptor: i32) -> bool {
        let Descriptors { for_clients, most } = self.descriptors;
        descriptor < for_clients || (self.free_descriptor() && descriptor < most)
    }

    /// Closes the target connection that has been idle longest, or else evicts a client's; false: all are in use.
    pub(crate) fn free_descriptor(&self) -> bool {
        let local = Rc::clone(&self.local.borrow());
        let process = self.live.process_limit();
        local.close_coldest() || process.evict_oldest(Scope::Process, self.now_millis(), EVICTIONS_MAX)
    }

    /// Keeps a stop waiting, as an open connection does, until the returned guard is dropped.
    pub(crate) fn hold(self: &Rc<Self>) -> Hold<S> {
        self.connections.set(self.connections.get() + 1);
        Hold(Rc::clone(self))
    }

    fn release(&self) {
        self.connections.set(self.connections.get() - 1);
        if self.connections.get() == 0 {
            let waker = self.waiting_for_last.borrow_mut().take();
            if let Some(waker) = waker {
                waker.wake();
            }
        }
    }

    pub(crate) fn connection_opened(&self) {
        self.connections.set(self.connections.get() + 1);
        self.cells().connections_open.increment();
    }

    pub(crate) fn connection_closed(&self) {
        self.cells().connections_open.decrement();
        self.release();
    }
}

/// See [`Proxy::hold`].
pub(crate) struct Hold<S: Sys>(Rc<Proxy<S>>);

impl<S: Sys> Drop for Hold<S> {
    fn drop(&mut self) {
        self.0.release();
    }
}

// limit: evictions for the sake of descriptors that are under way.
const EVICTIONS_MAX: u32 = 256;
