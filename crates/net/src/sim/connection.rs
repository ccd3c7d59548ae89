//! One simulated TCP connection: two short byte queues, and what epoll would say about it.

use std::collections::VecDeque;
use std::io;

use super::rng::Rng;
use crate::sys::Event;

/// Whether, and as what, something is registered with the simulated epoll.
#[derive(Debug, Default)]
pub(super) struct Watch {
    pub(super) token: Option<u64>,
    /// Something has changed since the last event.
    pub(super) edge: bool,
}

impl Watch {
    pub(super) fn register(&mut self, token: u64) -> io::Result<()> {
        if self.token.replace(token).is_some() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        self.edge = true;
        Ok(())
    }

    pub(super) fn changed(&mut self) {
        self.edge |= self.token.is_some();
    }
}

/// As seen from the worker: `inbound` is what the peer sent.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "as the kernel keeps them")]
pub(super) struct Connection {
    pub(super) watch: Watch,
    pub(super) connecting: bool,
    inbound: VecDeque<u8>,
    inbound_max: usize,
    outbound: VecDeque<u8>,
    outbound_max: usize,
    /// The peer's FIN has come.
    finished: bool,
    /// A reset has come, or the connect failed.
    reset: bool,
    error: Option<io::ErrorKind>,
    /// The worker sent its FIN.
    pub(super) write_finished: bool,
    /// A writer met a full queue and waits for room.
    wants_room: bool,
    /// The kernel has no memory for sending, whatever room there is.
    pub(super) starved: bool,
    pub(super) abort_on_close: bool,
    pub(super) closed: Option<Closed>,
    /// The peer sends for ever, faster than anybody reads.
    flooding: bool,
}

/// How the worker closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Closed {
    Orderly,
    Reset,
}

impl Connection {
    pub(super) fn new(rng: &mut Rng, connecting: bool) -> Self {
        let mut capacity = || if rng.one_in(6) { rng.up_to(16) } else { 16 + rng.size(4096) };
        let (inbound_max, outbound_max) = (capacity(), capacity());
        Self {
            watch: Watch::default(),
            connecting,
            inbound: VecDeque::new(),
            inbound_max,
            outbound: VecDeque::new(),
            outbound_max,
            finished: false,
            reset: false,
            error: None,
            write_finished: false,
            wants_room: false,
            starved: false,
            abort_on_close: false,
            closed: None,
            flooding: false,
        }
    }

    pub(super) fn is_readable(&self) -> bool {
        !self.connecting && (self.flooding || !self.inbound.is_empty() || self.finished || self.reset)
    }

    /// As the kernel, only from a third of the room on: an edge for each byte would cost too much.
    pub(super) fn is_writable(&self) -> bool {
        let room = self.outbound_max - self.outbound.len();
        !self.connecting && (self.reset || (!self.starved && room > 0 && room * 3 >= self.outbound_max))
    }

    pub(super) fn event(&self, token: u64) -> Event {
        Event {
            token,
            readable: self.is_readable(),
            writable: self.is_writable(),
            read_closed: self.finished || self.reset,
            gone: self.reset || (self.finished && self.write_finished),
        }
    }

    pub(super) fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.flooding && !self.reset {
            into.fill(FLOOD);
            return Ok(into.len());
        }
        let count = into.len().min(self.inbound.len());
        for (to, byte) in into.iter_mut().zip(self.inbound.drain(..count)) {
            *to = byte;
        }
        if count == 0 { self.end_of_inbound() } else { Ok(count) }
    }

    /// As [`Self::read`], for a splice of at most `len` bytes.
    pub(super) fn take(&mut self, len: usize) -> io::Result<Vec<u8>> {
        let count = len.min(self.inbound.len());
        if count == 0 {
            return self.end_of_inbound().map(|_| Vec::new());
        }
        Ok(self.inbound.drain(..count).collect())
    }

    fn end_of_inbound(&mut self) -> io::Result<usize> {
        match self.error.take() {
            Some(kind) => Err(kind.into()),
            None if self.reset || self.finished => Ok(0),
            None => Err(io::ErrorKind::WouldBlock.into()),
        }
    }

    pub(super) fn take_error(&mut self) -> Option<io::ErrorKind> {
        self.error.take()
    }

    /// How many bytes a write of `len` may take now. Fewer than there is room for only where the kernel could say so
    /// too: when it is short of memory, which an edge ends later.
    pub(super) fn admit(&mut self, len: usize, rng: &mut Rng) -> io::Result<usize> {
        if let Some(kind) = self.error.take() {
            return Err(kind.into());
        }
        if self.reset || self.write_finished {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let mut count = len.min(self.outbound_max - self.outbound.len());
        if !self.connecting && count > 0 && rng.one_in(16) {
            self.starved = true;
            count = rng.size(count);
        }
        if self.connecting || count == 0 {
            self.wants_room = true;
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.wants_room |= count < len;
        Ok(count)
    }

    pub(super) fn send(&mut self, bytes: impl IntoIterator<Item = u8>) {
        self.outbound.extend(bytes);
    }

    pub(super) fn finish_writing(&mut self) -> io::Result<()> {
        if self.connecting || self.reset {
            return Err(io::ErrorKind::NotConnected.into());
        }
        self.write_finished = true;
        self.watch.changed();
        Ok(())
    }

    /// The worker closes. With bytes unread the kernel resets, whatever the worker wanted.
    pub(super) fn close(&mut self) {
        let unread = !self.inbound.is_empty() || self.flooding;
        self.closed = Some(if self.abort_on_close || unread { Closed::Reset } else { Closed::Orderly });
        self.inbound.clear();
        self.watch = Watch::default();
    }

    pub(super) fn established(&mut self) {
        self.connecting = false;
        self.watch.changed();
    }

    pub(super) fn memory_came(&mut self) {
        self.starved = false;
        self.watch.changed();
    }

    // What the peer does.

    pub(super) fn peer_send(&mut self, bytes: &[u8]) -> usize {
        let count = bytes.len().min(self.inbound_max - self.inbound.len());
        if self.closed.is_none() && count > 0 {
            self.inbound.extend(&bytes[..count]);
            self.watch.changed();
        }
        count
    }

    pub(super) fn peer_floods(&mut self) {
        self.flooding = true;
        self.watch.changed();
    }

    pub(super) fn peer_receive(&mut self, most: usize) -> Vec<u8> {
        let count = most.min(self.outbound.len());
        let bytes = self.outbound.drain(..count).collect();
        if self.wants_room && self.is_writable() {
            self.wants_room = false;
            self.watch.changed();
        }
        bytes
    }

    pub(super) fn to_receive(&self) -> usize {
        self.outbound.len()
    }

    pub(super) fn peer_finish(&mut self) {
        self.finished = true;
        self.watch.changed();
    }

    /// A reset (or the failure of a connect) with the error that the next call meets. What the worker did not read
    /// yet may stay readable or not: both happen.
    pub(super) fn peer_reset(&mut self, kind: io::ErrorKind, keep_unread: bool) {
        if self.reset || self.closed.is_some() {
            return;
        }
        (self.reset, self.error, self.connecting, self.flooding) = (true, Some(kind), false, false);
        self.outbound.clear();
        if !keep_unread {
            self.inbound.clear();
        }
        self.watch.changed();
    }

    pub(super) fn is_reset(&self) -> bool {
        self.reset
    }
}

/// What a flood consists of.
pub const FLOOD: u8 = b'~';
