//! A target's connections that speak HTTP/2, as one worker keeps them.
//!
//! Each is driven by a task, [`drive`]; requests take a [`Lane`] on one that has room, and where none has, another is
//! opened. A connection that nobody holds any more ends by itself, gracefully.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use h2::client::{Builder, SendRequest};
use model::Failure;
use net::{Buffer, LARGE, Sys, Ticks};

use super::io::{Io, Owner};
use crate::failed::Failed;
use crate::io_error;
use crate::stream::Wire;

/// Those of one target that take requests.
#[derive(Debug, Default)]
pub(crate) struct Connections(RefCell<Vec<Rc<Connection>>>);

/// A connection that is being opened, or is open.
#[derive(Debug)]
pub(super) struct Connection {
    state: RefCell<State>,
    waiting: RefCell<Vec<Waker>>,
    /// Lanes that are taken.
    lanes: Cell<usize>,
    /// Since when it is known that none is.
    idle_since: Cell<Option<u64>>,
    /// Reads so far. The first brings the target's SETTINGS.
    reads: Rc<Cell<u64>>,
}

#[derive(Debug)]
enum State {
    Opening,
    Open(SendRequest<Bytes>),
    Over(Failed),
}

/// A place for one stream, until its drop.
#[derive(Debug)]
pub(crate) struct Lane {
    connection: Rc<Connection>,
    /// Its connection is opened for it.
    pub(crate) is_new: bool,
}

impl Connections {
    /// A place on the first connection with room, so that those that are not needed become idle; where there is none,
    /// on a new one, which `open` is to open.
    pub(crate) fn lane(&self, open: impl FnOnce(Opening)) -> Lane {
        self.drop_those(|connection| !connection.is_usable());
        let all = self.0.borrow();
        // What is being opened will take as many as the others do.
        let known = all.iter().filter_map(|connection| connection.streams_max()).min().unwrap_or(STREAMS_MAX);
        let has_room =
            |connection: &Connection| connection.lanes.get() < connection.streams_max().unwrap_or(known);
        let first = all.iter().find(|connection| has_room(connection));
        let full = || (all.len() >= CONNECTIONS_MAX).then(|| all.iter().min_by_key(|one| one.lanes.get()));
        if let Some(connection) = first.or_else(|| full().flatten()) {
            return Lane::on(connection, false);
        }
        drop(all);
        let connection = Rc::new(Connection::new());
        self.0.borrow_mut().push(Rc::clone(&connection));
        open(Opening { connection: Rc::downgrade(&connection), reads: Rc::clone(&connection.reads) });
        Lane::on(&connection, true)
    }

    /// Takes no more requests on any of them.
    pub(crate) fn clear(&self) {
        let all = self.0.take();
        drop(all);
    }

    /// Ends those that have been idle for as long as they may.
    pub(crate) fn prune(&self, now_millis: u64, idle_timeout: Duration) {
        let timeout = u64::try_from(idle_timeout.as_millis()).unwrap_or(u64::MAX);
        self.drop_those(|connection| {
            !connection.is_usable() || connection.idle_millis(now_millis).is_some_and(|idle| idle >= timeout)
        });
    }

    fn drop_those(&self, is_over: impl Fn(&Connection) -> bool) {
        let (gone, left): (Vec<_>, _) = self.0.take().into_iter().partition(|connection| is_over(connection));
        *self.0.borrow_mut() = left;
        // Nothing is dropped while the list is borrowed.
        drop(gone);
    }
}

impl Connection {
    fn new() -> Self {
        Self {
            state: RefCell::new(State::Opening),
            waiting: RefCell::default(),
            lanes: Cell::new(0),
            idle_since: Cell::new(None),
            reads: Rc::default(),
        }
    }

    /// Whether it takes requests: the target has not said GOAWAY, and it is not lost.
    fn is_usable(&self) -> bool {
        match &mut *self.state.borrow_mut() {
            State::Opening => true,
            State::Open(requests) => {
                !matches!(requests.poll_ready(&mut Context::from_waker(Waker::noop())), Poll::Ready(Err(_)))
            }
            State::Over(_) => false,
        }
    }

    /// How many streams it takes at a time; `None`: that is not known yet.
    fn streams_max(&self) -> Option<usize> {
        match &*self.state.borrow() {
            State::Opening => None,
            State::Open(requests) => Some(STREAMS_MAX.min(requests.current_max_send_streams())),
            State::Over(_) => Some(0),
        }
    }

    fn idle_millis(&self, now_millis: u64) -> Option<u64> {
        let since = (self.lanes.get() == 0).then(|| self.idle_since.get().unwrap_or(now_millis));
        self.idle_since.set(since);
        since.map(|since| now_millis.saturating_sub(since))
    }

    fn become_of(&self, state: State) {
        let old = self.state.replace(state);
        drop(old);
        let waiting = self.waiting.take();
        waiting.into_iter().for_each(Waker::wake);
    }
}

impl Lane {
    fn on(connection: &Rc<Connection>, is_new: bool) -> Self {
        connection.lanes.set(connection.lanes.get() + 1);
        connection.idle_since.set(None);
        Self { connection: Rc::clone(connection), is_new }
    }

    /// Waits until the connection stands.
    pub(crate) async fn ready(&self) -> Result<SendRequest<Bytes>, Failed> {
        poll_fn(|context| match &*self.connection.state.borrow() {
            State::Open(requests) => Poll::Ready(Ok(requests.clone())),
            State::Over(failed) => Poll::Ready(Err(*failed)),
            State::Opening => {
                let mut waiting = self.connection.waiting.borrow_mut();
                if !waiting.iter().any(|waker| waker.will_wake(context.waker())) {
                    waiting.push(context.waker().clone());
                }
                Poll::Pending
            }
        })
        .await
    }

    /// Whether the target takes as many streams at a time as there are lanes.
    pub(crate) fn fits(&self) -> bool {
        self.connection.streams_max().is_some_and(|most| self.connection.lanes.get() <= most)
    }

    pub(super) fn reads(&self) -> u64 {
        self.connection.reads.get()
    }

    /// The target has not said a word for long: others go another way.
    pub(super) fn forsake(&self) {
        self.connection.become_of(State::Over(Failure::TargetClosedBeforeResponse.into()));
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        self.connection.lanes.set(self.connection.lanes.get() - 1);
    }
}

/// What whoever opens a connection has of it: its end is up to those who use it.
#[derive(Debug)]
pub(crate) struct Opening {
    connection: Weak<Connection>,
    reads: Rc<Cell<u64>>,
}

impl Opening {
    pub(crate) fn failed(&self, failed: Failed) {
        self.become_of(State::Over(failed));
    }

    fn become_of(&self, state: State) {
        if let Some(connection) = self.connection.upgrade() {
            connection.become_of(state);
        }
    }
}

/// The socket of a connection, under the deadline of its making.
struct TargetWire<S: Sys> {
    wire: Wire<S>,
    reads: Rc<Cell<u64>>,
}

impl<S: Sys> Owner<S> for TargetWire<S> {
    fn wire(&self) -> Option<&Wire<S>> {
        Some(&self.wire)
    }

    fn did_read(&self) {
        if self.reads.replace(self.reads.get() + 1) == 0 {
            self.wire.set_read_deadline(Ticks::NEVER);
        }
    }
}

/// From a connection that stands to its end. No request is sent before the target's SETTINGS have come, by which it is
/// known to speak HTTP/2, and how many streams it takes.
pub(crate) async fn drive<S: Sys>(wire: Wire<S>, opening: Opening, write_timeout: Duration) {
    let owner = TargetWire { wire, reads: Rc::clone(&opening.reads) };
    let io = Io::new(owner, None, Buffer::new(), write_timeout);
    let (requests, mut connection) = match builder().handshake::<_, Bytes>(io).await {
        Ok(both) => both,
        Err(error) => return opening.failed(on_handshake(&error)),
    };
    let greeted = poll_fn(|context| match Pin::new(&mut connection).poll(context) {
        Poll::Ready(Ok(())) => Poll::Ready(Err(Failed { detail: "GOAWAY at once", ..REFUSED })),
        Poll::Ready(Err(error)) => Poll::Ready(Err(on_handshake(&error))),
        Poll::Pending if opening.reads.get() > 0 => Poll::Ready(Ok(())),
        Poll::Pending => Poll::Pending,
    });
    match greeted.await {
        Ok(()) => opening.become_of(State::Open(requests)),
        Err(failed) => return opening.failed(failed),
    }
    // Its streams know how it ended.
    let _ = connection.await;
    opening.failed(Failure::TargetClosedBeforeResponse.into());
}

fn on_handshake(error: &h2::Error) -> Failed {
    if error.get_io().is_some_and(io_error::is_deadline) {
        return Failed { failure: Failure::TargetConnectTimeout, detail: "no SETTINGS" };
    }
    REFUSED
}

const REFUSED: Failed =
    Failed { failure: Failure::TargetRefused, detail: "the target does not speak HTTP/2" };

/// Everything that a target could make us keep has its limit here.
fn builder() -> Builder {
    let mut builder = Builder::new();
    builder
        .enable_push(false)
        .max_concurrent_streams(0)
        .initial_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_frame_size(FRAME_BYTES_MAX)
        .max_header_list_size(u32::try_from(LARGE).unwrap_or(u32::MAX))
        .max_send_buffer_size(SEND_BUFFER_BYTES_MAX)
        .max_concurrent_reset_streams(RESET_STREAMS_MAX)
        // The crate counts for the life of the connection, and the end of it would take innocent streams along. What a
        // malformed response costs is an attempt of its request.
        .max_local_error_reset_streams(None)
        .reset_stream_duration(RESET_STREAM_DURATION);
    builder
}

/// limit: connections to one target, by one worker; requests beyond what they take wait for their turn.
const CONNECTIONS_MAX: usize = 32;
/// limit: streams of one connection at a time, whatever the target would take.
const STREAMS_MAX: usize = 100;
/// limit: bytes of one stream that wait for a client who reads slowly.
const STREAM_WINDOW_BYTES: u32 = 128 * 1024;
/// limit: as many as all streams may hold, or a few slow readers would stall the others.
const CONNECTION_WINDOW_BYTES: u32 = STREAMS_MAX as u32 * STREAM_WINDOW_BYTES;
/// limit: bytes of one frame; the least that may be offered.
const FRAME_BYTES_MAX: u32 = 16 * 1024;
/// limit: bytes of one stream that wait to be sent.
const SEND_BUFFER_BYTES_MAX: usize = 64 * 1024;
/// limit: streams that we reset and that are remembered.
const RESET_STREAMS_MAX: usize = 1000;
const RESET_STREAM_DURATION: Duration = Duration::from_secs(5);
