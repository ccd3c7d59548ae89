//! The state that a client's connection and its streams share.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::task::Waker;

use proto::http1::ResponseHead;
use proto::http2::meter::{Fault, FrameMeter};

/// The state shared by the task of a client's connection, its I/O and its streams.
#[derive(Debug, Default)]
pub(super) struct ConnectionShared {
    pub(super) meter: RefCell<FrameMeter>,
    /// Set if the client floods or violates the protocol. Nothing more is read then.
    pub(super) fault: Cell<Option<Fault>>,
    /// A read of the connection has timed out: its deadline has passed, or the worker has roused the connection.
    pub(super) is_read_late: Cell<bool>,
    /// The HTTP/2 handshake is done. From now on the connection's task handles reads that time out.
    pub(super) is_established: Cell<bool>,
    /// A write waits for the client to read.
    pub(super) is_write_blocked: Cell<bool>,
    /// Streams whose tasks have not ended.
    live_streams: Cell<usize>,
    /// The waker of the connection's task.
    waker: RefCell<Option<Waker>>,
    /// The parser of response heads, used by one stream at a time.
    pub(super) response_head: RefCell<ResponseHead>,
}

/// Counts the task of a stream as live until it is dropped.
#[derive(Debug)]
pub(super) struct StreamGuard(Rc<ConnectionShared>);

impl ConnectionShared {
    /// The number of streams whose tasks have not ended.
    pub(super) fn live_streams(&self) -> usize {
        self.live_streams.get()
    }

    /// Counts one more stream.
    pub(super) fn count_stream(self: &Rc<Self>) -> StreamGuard {
        self.live_streams.set(self.live_streams.get() + 1);
        StreamGuard(Rc::clone(self))
    }

    /// Makes the connection's task end the connection with `fault`.
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

    /// Registers the waker of the connection's task.
    pub(super) fn register(&self, waker: &Waker) {
        if self.waker.borrow().as_ref().is_some_and(|old| old.will_wake(waker)) {
            return;
        }
        let old = self.waker.borrow_mut().replace(waker.clone());
        drop(old);
    }
}

impl Drop for StreamGuard {
    fn drop(&mut self) {
        self.0.live_streams.set(self.0.live_streams.get() - 1);
        self.0.wake();
    }
}
