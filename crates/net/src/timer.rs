//! Deadlines without a socket, for streams that share one (HTTP/2).

use std::task::{Context, Poll};

use crate::reactor::{Direction, SourceId, State, Ticks};
use crate::stream::StreamKey;
use crate::sys::Sys;
use crate::worker::Worker;

/// A read deadline and a write deadline that behave as those of a [`crate::TcpStream`].
pub struct Timer<S: Sys> {
    worker: Worker<S>,
    id: SourceId,
}

impl<S: Sys> std::fmt::Debug for Timer<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Timer").finish_non_exhaustive()
    }
}

impl<S: Sys> Timer<S> {
    pub fn new(worker: &Worker<S>) -> Self {
        let mut reactor = worker.0.reactor.borrow_mut();
        let id = reactor.insert(-1);
        reactor.blocked(id, Direction::Read);
        reactor.blocked(id, Direction::Write);
        drop(reactor);
        Self { worker: worker.clone(), id }
    }

    pub fn worker(&self) -> &Worker<S> {
        &self.worker
    }

    pub fn key(&self) -> StreamKey {
        StreamKey(self.id)
    }

    pub fn set_read_deadline(&self, deadline: Ticks) {
        self.worker.0.reactor.borrow_mut().set_deadline(self.id, Direction::Read, deadline);
    }

    /// Sets the deadline of the next write. A write that makes progress, even in part, restarts it for the rest.
    pub fn set_write_deadline(&self, deadline: Ticks) {
        self.worker.0.reactor.borrow_mut().set_write_deadline(self.id, deadline, self.worker.now());
    }

    /// See [`crate::TcpStream::limit_writes`].
    pub fn limit_writes(&self, limit: Ticks) {
        self.worker.0.reactor.borrow_mut().limit_writes(self.id, limit);
    }

    /// Notes that `count` bytes were written, which restarts the write deadline.
    pub fn wrote(&self, count: usize) {
        if count > 0 {
            self.worker.moved(count);
            self.worker.0.reactor.borrow_mut().wrote(self.id, self.worker.now());
        }
    }

    /// Waits until the read deadline has passed.
    pub fn poll_read_late(&self, context: &Context<'_>) -> Poll<()> {
        self.poll_late(context, Direction::Read)
    }

    /// Waits until the write deadline has passed.
    pub fn poll_write_late(&self, context: &Context<'_>) -> Poll<()> {
        self.poll_late(context, Direction::Write)
    }

    /// Whether a read deadline is set and has not passed.
    pub fn has_read_deadline(&self) -> bool {
        self.worker.0.reactor.borrow().has_read_deadline(self.id)
    }

    /// Clears a roused state: waits continue under the same read deadline.
    pub fn forget_late(&self) {
        self.worker.0.reactor.borrow_mut().forget_late(self.id);
    }

    fn poll_late(&self, context: &Context<'_>, direction: Direction) -> Poll<()> {
        let waker = context.waker().clone();
        let old = {
            let mut reactor = self.worker.0.reactor.borrow_mut();
            if reactor.state(self.id, direction) == State::Late {
                return Poll::Ready(());
            }
            reactor.park(self.id, direction, waker).0
        };
        // A waker's drop is foreign code: it runs after the borrow.
        drop(old);
        Poll::Pending
    }
}

impl<S: Sys> Drop for Timer<S> {
    fn drop(&mut self) {
        let wakers = self.worker.0.reactor.borrow_mut().remove(self.id);
        drop(wakers);
    }
}
