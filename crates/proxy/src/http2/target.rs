//! The HTTP/2 connections of one worker to one target.
//!
//! Each connection has a task, [`drive`]. A request takes a [`StreamSlot`] on a connection that has a free one; if none
//! has, a new connection is opened. A connection to which no reference is left is closed by `h2`, gracefully.

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

/// The connections to one target that take requests.
#[derive(Debug, Default)]
pub(crate) struct Connections(RefCell<Vec<Rc<Connection>>>);

/// A connection that is being opened, or is open.
#[derive(Debug)]
pub(super) struct Connection {
    state: RefCell<State>,
    /// The wakers of requests that wait until the connection is open.
    waiting: RefCell<Vec<Waker>>,
    /// Stream slots in use.
    slots: Cell<usize>,
    /// When a check first found the connection without streams, in milliseconds.
    idle_since: Cell<Option<u64>>,
    /// Reads so far. The first one has the target's SETTINGS.
    reads: Rc<Cell<u64>>,
}

#[derive(Debug)]
enum State {
    Opening,
    Open(SendRequest<Bytes>),
    /// The connection takes no requests, for this reason.
    Closed(Failed),
}

/// The right to have one stream on a connection, until it is dropped.
#[derive(Debug)]
pub(crate) struct StreamSlot {
    connection: Rc<Connection>,
    /// The connection was opened for this slot.
    pub(crate) is_new: bool,
}

impl Connections {
    /// Takes a slot on the first connection that has a free one, so that the later ones become idle when they are not
    /// needed. If no connection has one, makes a new connection and calls `open` to start its task. At the limit of
    /// connections, takes the connection with the fewest streams.
    pub(crate) fn slot(&self, open: impl FnOnce(DriverHandle)) -> StreamSlot {
        self.remove_if(|connection| !connection.is_usable());
        let all = self.0.borrow();
        // A connection that is being opened is expected to allow as many streams as the others do.
        let known = all.iter().filter_map(|connection| connection.streams_max()).min().unwrap_or(STREAMS_MAX);
        let has_slot =
            |connection: &Connection| connection.slots.get() < connection.streams_max().unwrap_or(known);
        let first = all.iter().find(|connection| has_slot(connection));
        let fewest = || (all.len() >= CONNECTIONS_MAX).then(|| all.iter().min_by_key(|one| one.slots.get()));
        if let Some(connection) = first.or_else(|| fewest().flatten()) {
            return StreamSlot::on(connection, false);
        }
        drop(all);
        let connection = Rc::new(Connection::new());
        self.0.borrow_mut().push(Rc::clone(&connection));
        open(DriverHandle { connection: Rc::downgrade(&connection), reads: Rc::clone(&connection.reads) });
        StreamSlot::on(&connection, true)
    }

    /// Removes all connections. Their current requests continue.
    pub(crate) fn clear(&self) {
        let all = self.0.take();
        drop(all);
    }

    /// Removes connections that are closed or have been idle for `idle_timeout`.
    pub(crate) fn prune(&self, now_millis: u64, idle_timeout: Duration) {
        let timeout = u64::try_from(idle_timeout.as_millis()).unwrap_or(u64::MAX);
        self.remove_if(|connection| {
            !connection.is_usable() || connection.idle_millis(now_millis).is_some_and(|idle| idle >= timeout)
        });
    }

    /// Since when the longest-idle connection has been idle. The time is that of the first check that found it without
    /// streams; one that no check has found comes last.
    pub(crate) fn coldest_since(&self) -> Option<u64> {
        self.0.borrow().iter().filter_map(|connection| connection.idle_since()).min()
    }

    /// Closes the longest-idle connection; false: there is none.
    pub(crate) fn close_coldest(&self) -> bool {
        let mut all = self.0.borrow_mut();
        let coldest =
            all.iter().enumerate().filter_map(|(place, one)| Some((one.idle_since()?, place))).min();
        let closed = coldest.map(|(_, place)| all.remove(place));
        drop(all);
        closed.is_some()
    }

    fn remove_if(&self, is_removed: impl Fn(&Connection) -> bool) {
        let (removed, left): (Vec<_>, _) =
            self.0.take().into_iter().partition(|connection| is_removed(connection));
        *self.0.borrow_mut() = left;
        // The drop of a connection is foreign code: it runs after the borrow of the list.
        drop(removed);
    }
}

impl Connection {
    fn new() -> Self {
        Self {
            state: RefCell::new(State::Opening),
            waiting: RefCell::default(),
            slots: Cell::new(0),
            idle_since: Cell::new(None),
            reads: Rc::default(),
        }
    }

    /// Whether the connection takes requests: it is not lost, and the target has not sent GOAWAY.
    fn is_usable(&self) -> bool {
        match &mut *self.state.borrow_mut() {
            State::Opening => true,
            State::Open(requests) => {
                !matches!(requests.poll_ready(&mut Context::from_waker(Waker::noop())), Poll::Ready(Err(_)))
            }
            State::Closed(_) => false,
        }
    }

    /// The number of concurrent streams that the target allows, at most [`STREAMS_MAX`]; `None`: not known yet.
    fn streams_max(&self) -> Option<usize> {
        match &*self.state.borrow() {
            State::Opening => None,
            State::Open(requests) => Some(STREAMS_MAX.min(requests.current_max_send_streams())),
            State::Closed(_) => Some(0),
        }
    }

    /// How long the connection has been without streams; `None`: it has some. The time starts with the first call that
    /// finds none.
    fn idle_millis(&self, now_millis: u64) -> Option<u64> {
        let since = (self.slots.get() == 0).then(|| self.idle_since.get().unwrap_or(now_millis));
        self.idle_since.set(since);
        since.map(|since| now_millis.saturating_sub(since))
    }

    /// `None`: it has streams, or is being opened.
    fn idle_since(&self) -> Option<u64> {
        let is_open = matches!(&*self.state.borrow(), State::Open(_));
        (is_open && self.slots.get() == 0).then(|| self.idle_since.get().unwrap_or(u64::MAX - 1))
    }

    /// Sets the state and wakes the requests that wait for it.
    fn set_state(&self, state: State) {
        let old = self.state.replace(state);
        drop(old);
        let waiting = self.waiting.take();
        waiting.into_iter().for_each(Waker::wake);
    }
}

impl StreamSlot {
    fn on(connection: &Rc<Connection>, is_new: bool) -> Self {
        connection.slots.set(connection.slots.get() + 1);
        connection.idle_since.set(None);
        Self { connection: Rc::clone(connection), is_new }
    }

    /// Waits until the connection is open.
    pub(crate) async fn ready(&self) -> Result<SendRequest<Bytes>, Failed> {
        poll_fn(|context| match &*self.connection.state.borrow() {
            State::Open(requests) => Poll::Ready(Ok(requests.clone())),
            State::Closed(failed) => Poll::Ready(Err(*failed)),
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

    /// Whether the target allows as many concurrent streams as there are slots in use.
    pub(crate) fn is_within_limit(&self) -> bool {
        self.connection.streams_max().is_some_and(|max| self.connection.slots.get() <= max)
    }

    /// How many reads the connection has done.
    pub(super) fn reads(&self) -> u64 {
        self.connection.reads.get()
    }

    /// Lets the connection take no more requests: the target has sent nothing for the length of a timeout.
    pub(super) fn close_to_requests(&self) {
        self.connection.set_state(State::Closed(Failure::TargetClosedBeforeResponse.into()));
    }
}

impl Drop for StreamSlot {
    fn drop(&mut self) {
        self.connection.slots.set(self.connection.slots.get() - 1);
    }
}

/// The connection, as seen by the task that opens and drives it. Weak, so that the connection ends when no request uses it
/// and [`Connections`] has removed it.
#[derive(Debug)]
pub(crate) struct DriverHandle {
    connection: Weak<Connection>,
    reads: Rc<Cell<u64>>,
}

impl DriverHandle {
    /// Ends the connection for `failed`, which waiting requests get as their error.
    pub(crate) fn fail(&self, failed: Failed) {
        self.set_state(State::Closed(failed));
    }

    fn set_state(&self, state: State) {
        if let Some(connection) = self.connection.upgrade() {
            connection.set_state(state);
        }
    }
}

/// The socket of a connection. The deadline of the connect stays set until the first read.
struct TargetWire<S: Sys> {
    wire: Wire<S>,
    reads: Rc<Cell<u64>>,
}

impl<S: Sys> Owner<S> for TargetWire<S> {
    fn wire(&self) -> Option<&Wire<S>> {
        Some(&self.wire)
    }

    fn on_read(&self) {
        if self.reads.replace(self.reads.get() + 1) == 0 {
            self.wire.set_read_deadline(Ticks::NEVER);
        }
    }
}

/// The task of a connection, from the established socket to the close. No request is sent before the target's SETTINGS
/// have arrived: they prove that it speaks HTTP/2 and have its limit of concurrent streams.
pub(crate) async fn drive<S: Sys>(wire: Wire<S>, handle: DriverHandle, write_timeout: Duration) {
    let owner = TargetWire { wire, reads: Rc::clone(&handle.reads) };
    let io = Io::new(owner, None, Buffer::new(), write_timeout);
    let (requests, mut connection) = match builder().handshake::<_, Bytes>(io).await {
        Ok(both) => both,
        Err(error) => return handle.fail(on_handshake(&error)),
    };
    let settings_received = poll_fn(|context| match Pin::new(&mut connection).poll(context) {
        Poll::Ready(Ok(())) => Poll::Ready(Err(Failed { detail: "GOAWAY at once", ..NOT_HTTP2 })),
        Poll::Ready(Err(error)) => Poll::Ready(Err(on_handshake(&error))),
        Poll::Pending if handle.reads.get() > 0 => Poll::Ready(Ok(())),
        Poll::Pending => Poll::Pending,
    });
    match settings_received.await {
        Ok(()) => handle.set_state(State::Open(requests)),
        Err(failed) => return handle.fail(failed),
    }
    // The streams return the error to their requests.
    let _ = connection.await;
    handle.fail(Failure::TargetClosedBeforeResponse.into());
}

fn on_handshake(error: &h2::Error) -> Failed {
    if error.get_io().is_some_and(io_error::is_deadline) {
        return Failed {
            failure: Failure::TargetConnectTimeout,
            detail: "connected; no SETTINGS of HTTP/2 came",
        };
    }
    NOT_HTTP2
}

const NOT_HTTP2: Failed =
    Failed { failure: Failure::TargetRefused, detail: "the target does not speak HTTP/2" };

/// The settings of a connection. They limit everything that a target can make us store.
fn builder() -> Builder {
    let mut builder = Builder::new();
    builder
        .enable_push(false)
        .max_concurrent_streams(0)
        .initial_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_frame_size(FRAME_BYTES_MAX)
        .max_header_list_size(HEADER_LIST_BYTES_MAX)
        .max_send_buffer_size(SEND_BUFFER_BYTES_MAX)
        .max_concurrent_reset_streams(RESET_STREAMS_MAX)
        // No limit: `h2` counts over the life of the connection and would end it with all its good streams. A malformed
        // response costs only an attempt of its request.
        .max_local_error_reset_streams(None)
        .reset_stream_duration(RESET_STREAM_DURATION);
    builder
}

/// limit: what the fields of one response may take once they are decompressed.
pub const HEADER_LIST_BYTES_MAX: u32 = LARGE as u32;
/// limit: connections to one target, by one worker; requests beyond their limit of streams wait.
const CONNECTIONS_MAX: usize = 32;
/// limit: concurrent streams of one connection, even if the target allows more.
const STREAMS_MAX: usize = 100;
/// limit: bytes that one stream buffers for a client that reads slowly.
const STREAM_WINDOW_BYTES: u32 = 128 * 1024;
/// limit: the sum of the windows of all streams. With less, a few slow clients would stall the others.
const CONNECTION_WINDOW_BYTES: u32 = STREAMS_MAX as u32 * STREAM_WINDOW_BYTES;
/// limit: bytes of one frame; the smallest value that RFC 9113 allows.
const FRAME_BYTES_MAX: u32 = 16 * 1024;
/// limit: bytes of one stream that wait to be sent.
const SEND_BUFFER_BYTES_MAX: usize = 64 * 1024;
/// limit: streams that we have reset and that `h2` keeps, to ignore frames that are still in flight.
const RESET_STREAMS_MAX: usize = 1000;
/// How long they are kept.
const RESET_STREAM_DURATION: Duration = Duration::from_secs(5);
