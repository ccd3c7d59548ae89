//! What a connection and its streams know of each other.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::task::Waker;

use proto::http1::ResponseHead;
use proto::http2::meter::{Fault, FrameMeter};

/// Shared by the task of a client's connection, its I/O and its streams.
#[derive(Debug, Default)]
pub(super) struct Link {
    pub(super) meter: RefCell<FrameMeter>,
    /// The client sends too much of something, or what no client may; nothing more is read.
    pub(super) fault: Cell<Option<Fault>>,
    /// A wait of the connection met its deadline, or was roused.
    pub(super) is_late: Cell<bool>,
    /// The handshake is done: a late read is the connection task's affair.
    pub(super) is_open: Cell<bool>,
    /// There are bytes that the client does not take.
    pub(super) is_blocked: Cell<bool>,
    /// Streams whose tasks have not ended.
    live: Cell<usize>,
    waker: RefCell<Option<Waker>>,
    /// Parses the heads of responses, one at a time.
    pub(super) head: RefCell<ResponseHead>,
}

/// A stream's task, until its drop.
#[derive(Debug)]
pub(super) struct Alive(Rc<Link>);

impl Link {
    pub(super) fn live(&self) -> usize {
        self.live.get()
    }

    pub(super) fn begin(self: &Rc<Self>) -> Alive {
        self.live.set(self.live.get() + 1);
        Alive(Rc::clone(self))
    }

    /// The connection is to end.
    pub(super) fn fail(&self, fault: Fault) {
        self.fault.set(Some(fault));
        self.wake();
    }

    fn wake(&self) {
        let waker = self.waker.borrow_mut().take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// The connection's task waits.
    pub(super) fn leave(&self, waker: &Waker) {
        if self.waker.borrow().as_ref().is_some_and(|old| old.will_wake(waker)) {
            return;
        }
        let old = self.waker.borrow_mut().replace(waker.clone());
        drop(old);
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.live.set(self.0.live.get() - 1);
        self.0.wake();
    }
}
