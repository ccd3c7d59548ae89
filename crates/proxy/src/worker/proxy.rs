//! What the tasks of one worker share.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Waker;

use balance::Rng;
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
    pub(crate) stopping: Cell<bool>,
    pub(crate) date: DateCache,
    pub(super) local: RefCell<Rc<Local<S>>>,
    pub(super) bound_listeners: RefCell<HashMap<SocketAddr, Rc<BoundListener<S>>>>,
    pub(super) connections: Cell<usize>,
    pub(super) waiting_for_last: RefCell<Option<Waker>>,
}

impl<S: Sys> Proxy<S> {
    pub(crate) fn cells(&self) -> &WorkerCells {
        self.live.worker_cells().of(self.number)
    }

    pub(crate) fn now_millis(&self) -> u64 {
        self.worker.now() / 1_000_000
    }

    /// Has something closed that is not in use, to free a descriptor.
    pub(crate) fn free_descriptor(&self) -> bool {
        self.live.descriptors().free_one(self.now_millis()) || self.close_coldest()
    }

    /// Closes the connection of this worker to a target that has been idle longest; false: none is idle.
    pub(crate) fn close_coldest(&self) -> bool {
        let local = Rc::clone(&self.local.borrow());
        local.close_coldest()
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
