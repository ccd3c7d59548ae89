//! One simulated TCP connection: two short byte queues, and the events that epoll would report.

use std::collections::VecDeque;
use std::io;

use super::rng::Rng;
use crate::buffer::LARGE;
use crate::sys::Event;

/// The registration of a socket with the simulated epoll.
#[derive(Debug, Default)]
pub(super) struct Registration {
    /// `None`: not registered.
    pub(super) token: Option<u64>,
    /// The state has changed since the last event.
    pub(super) edge: bool,
}

impl Registration {
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

/// A connection as seen from the worker: `inbound` holds the bytes that the peer has sent.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "independent states of a socket")]
pub(super) struct Connection {
    pub(super) registration: Registration,
    pub(super) connecting: bool,
    inbound: VecDeque<u8>,
    inbound_max: usize,
    outbound: VecDeque<u8>,
    outbound_max: usize,
    /// The peer has sent its FIN.
    finished: bool,
    /// The peer has reset the connection, or the connect has failed.
    reset: bool,
    error: Option<io::ErrorKind>,
    /// The worker has sent its FIN.
    pub(super) write_finished: bool,
    /// A write has found the outbound queue full; an edge follows when it is writable again.
    wants_space: bool,
    /// The kernel has no memory for sending, although the queue is not full.
    pub(super) no_memory: bool,
    pub(super) abort_on_close: bool,
    pub(super) closed: Option<Closed>,
    /// The peer sends without end, faster than the worker reads.
    flooding: bool,
}

/// How the worker closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Closed {
    Orderly,
    Reset,
}

impl Connection {
    /// `roomy`: some have room for more than the largest buffer holds.
    pub(super) fn new(rng: &mut Rng, connecting: bool, roomy: bool) -> Self {
        let mut capacity = || match roomy && rng.one_in(8) {
            true => 2 * LARGE,
            false if rng.one_in(6) => rng.up_to(16),
            false => 16 + rng.size(4096),
        };
        let (inbound_max, outbound_max) = (capacity(), capacity());
        Self {
            registration: Registration::default(),
            connecting,
            inbound: VecDeque::new(),
            inbound_max,
            outbound: VecDeque::new(),
            outbound_max,
            finished: false,
            reset: false,
            error: None,
            write_finished: false,
            wants_space: false,
            no_memory: false,
            abort_on_close: false,
            closed: None,
            flooding: false,
        }
    }

    pub(super) fn is_readable(&self) -> bool {
        !self.connecting && (self.flooding || !self.inbound.is_empty() || self.finished || self.reset)
    }

    /// As in the kernel, only if a third of the queue is free, which avoids an edge for each byte.
    pub(super) fn is_writable(&self) -> bool {
        let free = self.outbound_max - self.outbound.len();
        !self.connecting && (self.reset || (!self.no_memory && free > 0 && free * 3 >= self.outbound_max))
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

    /// Takes at most `len` inbound bytes, for a splice; see [`Self::read`].
    pub(super) fn take(&mut self, len: usize) -> io::Result<Vec<u8>> {
        if self.flooding && !self.reset {
            return Ok(vec![FLOOD; len]);
        }
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

    /// How many bytes a write of `len` may take now. As with the kernel, fewer than fit only if it is short of memory; an edge
    /// follows when it has memory again.
    pub(super) fn admit(&mut self, len: usize, rng: &mut Rng) -> io::Result<usize> {
        if let Some(kind) = self.error.take() {
            return Err(kind.into());
        }
        if self.reset || self.write_finished {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let mut count = len.min(self.outbound_max - self.outbound.len());
        if !self.connecting && count > 0 && rng.one_in(16) {
            self.no_memory = true;
            count = rng.size(count);
        }
        if self.connecting || count == 0 {
            self.wants_space = true;
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.wants_space |= count < len;
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
        self.registration.changed();
        Ok(())
    }

    /// Nothing more goes, and nothing more comes but what is here.
    pub(super) fn finish_both(&mut self) -> io::Result<()> {
        self.finish_writing()?;
        self.finished = true;
        Ok(())
    }

    /// The worker closes the connection. If bytes are unread, the kernel sends a reset in any case.
    pub(super) fn close(&mut self) {
        let unread = !self.inbound.is_empty() || self.flooding;
        self.closed = Some(if self.abort_on_close || unread { Closed::Reset } else { Closed::Orderly });
        self.inbound.clear();
        self.registration = Registration::default();
    }

    pub(super) fn established(&mut self) {
        self.connecting = false;
        self.registration.changed();
    }

    pub(super) fn memory_came(&mut self) {
        self.no_memory = false;
        self.registration.changed();
    }

    // Actions of the peer.

    /// How many bytes of the peer its socket takes now.
    pub(super) fn room(&self) -> usize {
        self.inbound_max - self.inbound.len()
    }

    pub(super) fn peer_send(&mut self, bytes: &[u8]) -> usize {
        let count = bytes.len().min(self.room());
        if self.closed.is_none() && count > 0 {
            self.inbound.extend(&bytes[..count]);
            self.registration.changed();
        }
        count
    }

    pub(super) fn peer_floods(&mut self) {
        self.flooding = true;
        self.registration.changed();
    }

    pub(super) fn peer_receive(&mut self, most: usize) -> Vec<u8> {
        let count = most.min(self.outbound.len());
        let bytes = self.outbound.drain(..count).collect();
        if self.wants_space && self.is_writable() {
            self.wants_space = false;
            self.registration.changed();
        }
        bytes
    }

    pub(super) fn to_receive(&self) -> usize {
        self.outbound.len()
    }

    pub(super) fn peer_finish(&mut self) {
        self.finished = true;
        self.registration.changed();
    }

    /// A reset, or the failure of a connect. The next call returns `kind`. `keep_unread`: the worker can still read the bytes
    /// that arrived before; both happen on a real kernel.
    pub(super) fn peer_reset(&mut self, kind: io::ErrorKind, keep_unread: bool) {
        if self.reset || self.closed.is_some() {
            return;
        }
        (self.reset, self.error, self.connecting, self.flooding) = (true, Some(kind), false, false);
        self.outbound.clear();
        if !keep_unread {
            self.inbound.clear();
        }
        self.registration.changed();
    }

    pub(super) fn is_reset(&self) -> bool {
        self.reset
    }
}

/// The byte of which a flood consists.
pub const FLOOD: u8 = b'~';
