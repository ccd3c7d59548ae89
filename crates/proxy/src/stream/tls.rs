//! A TLS session between a socket and the story.
//!
//! Records that are not complete, plain bytes that found no room and records that the socket did not take are held in
//! leased buffers, each only while there is something in it.

use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use net::{Buffer, BufferFull, LARGE, SMALL, Sys, TcpStream};
use rustls::pki_types::CertificateDer;
use tls::{Host, Identity, Session, sealed_len};

use crate::connection::revocation_watch::Remembered;

/// The session of one connection and what it holds back.
#[derive(Debug)]
pub(crate) struct Tls {
    inner: RefCell<Inner>,
    /// Nothing is said when it ends.
    is_forsaken: Cell<bool>,
    /// A peer that ends without `close_notify` has cut its bytes off, where they have no other end.
    is_cut_an_error: bool,
    /// With a client.
    agreed: Option<Rc<Agreed>>,
}

/// What a handshake with a client came to.
#[derive(Debug)]
pub(crate) struct Agreed {
    pub(crate) host: Arc<Host>,
    /// Who the client has proved to be.
    pub(crate) identity: Option<Identity>,
    /// For the access log.
    pub(crate) version: &'static str,
    pub(crate) suite: &'static str,
    /// Where a revocation ends the connection.
    pub(crate) _remembered: Option<Remembered>,
}

#[derive(Debug)]
struct Inner {
    session: Session,
    /// Received, and not decrypted.
    records: Buffer,
    /// `records` holds a complete record, as far as is known.
    has_more: bool,
    /// Decrypted, and not taken; behind it what did not fit.
    plain: Buffer,
    beyond: Buffer,
    /// Encrypted, and not sent; behind it what did not fit.
    unsent: Buffer,
    unsent_beyond: Buffer,
    end: Option<End>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// `close_notify`, or the end of the stream where that is as good.
    Clean,
    Cut,
    /// What came is not TLS, or not ours.
    Failed,
}

/// Why there is no session.
#[derive(Debug)]
pub(crate) enum HandshakeError {
    /// The socket's.
    Io(io::Error),
    /// The peer closed before the end.
    Closed,
    /// What rustls says; the peer has been told.
    Tls(rustls::Error),
}

impl Tls {
    /// Makes the handshake on `tcp`, under its deadlines. `records` came already.
    pub(crate) async fn handshake<S: Sys>(
        tcp: &TcpStream<S>,
        session: Session,
        records: Buffer,
        is_cut_an_error: bool,
    ) -> Result<Box<Self>, HandshakeError> {
        let mut inner = Inner {
            session,
            records,
            has_more: false,
            plain: Buffer::new(),
            beyond: Buffer::new(),
            unsent: Buffer::new(),
            unsent_beyond: Buffer::new(),
            end: None,
        };
        loop {
            let mut out = Vec::new();
            let error = inner.advance(&mut out);
            let sent = send(tcp, &out).await;
            match error {
                Some(error) => return Err(HandshakeError::Tls(error)),
                None => sent.map_err(HandshakeError::Io)?,
            }
            if !inner.session.is_handshaking() {
                break;
            }
            if inner.end.is_some() {
                return Err(HandshakeError::Closed);
            }
            match tcp.fill(&mut inner.records, SMALL).await {
                Ok(0) => return Err(HandshakeError::Closed),
                Ok(_) => {}
                Err(error) => return Err(HandshakeError::Io(error)),
            }
        }
        let inner = RefCell::new(inner);
        Ok(Box::new(Self { inner, is_forsaken: Cell::new(false), is_cut_an_error, agreed: None }))
    }

    /// Keeps for whom the handshake was, and by whom.
    pub(crate) fn agree(
        &mut self,
        host: &Arc<Host>,
        remember: impl FnOnce(&[CertificateDer<'static>]) -> Remembered,
    ) -> Result<(), tls::Unreadable> {
        let session = &self.inner.get_mut().session;
        // Also where nothing is closed today: a reload may say otherwise.
        let remembered = session.peer_certificates().map(remember);
        let identity = match session.peer_certificates().and_then(<[_]>::first) {
            Some(leaf) => Some(Identity::of(leaf)?),
            None => None,
        };
        let (version, suite) = (session.version_text(), session.suite_name());
        self.agreed = Some(Rc::new(Agreed {
            host: Arc::clone(host),
            identity,
            version,
            suite,
            _remembered: remembered,
        }));
        Ok(())
    }

    pub(crate) fn agreed(&self) -> Option<&Rc<Agreed>> {
        self.agreed.as_ref()
    }

    /// Looks at the session, for what was agreed.
    pub(crate) fn with_session<T>(&self, look: impl FnOnce(&Session) -> T) -> T {
        look(&self.inner.borrow().session)
    }

    pub(super) fn has_news(&self) -> bool {
        let inner = self.inner.borrow();
        inner.has_more || !inner.plain.is_empty() || inner.end.is_some()
    }

    pub(super) fn is_flushed(&self) -> bool {
        self.inner.borrow().is_flushed()
    }

    pub(super) fn poll_fill<S: Sys>(
        &self,
        tcp: &TcpStream<S>,
        context: &mut Context<'_>,
        buffer: &mut Buffer,
        wanted: usize,
    ) -> Poll<io::Result<usize>> {
        // Who waits for an answer has asked, whatever of it is still here.
        // A peer that takes no more may have answered already: that the rest does not go is the writer's to meet.
        let _ = self.poll_flush(tcp, context);
        loop {
            if !self.has_news() && tcp.poll_readable(context)?.is_pending() {
                buffer.shrink();
                self.inner.borrow_mut().records.shrink();
                return Poll::Pending;
            }
            if let Some(result) = self.try_fill(tcp, buffer, wanted) {
                return Poll::Ready(result);
            }
        }
    }

    pub(super) fn try_fill<S: Sys>(
        &self,
        tcp: &TcpStream<S>,
        buffer: &mut Buffer,
        wanted: usize,
    ) -> Option<io::Result<usize>> {
        let mut inner = self.inner.borrow_mut();
        if buffer.len() >= LARGE {
            return Some(Err(io::ErrorKind::FileTooLarge.into()));
        }
        if let Some(result) = inner.take_plain(buffer) {
            return Some(result);
        }
        if !inner.has_more {
            if let Some(end) = inner.end {
                return Some(self.at_end(end));
            }
            match tcp.try_fill(&mut inner.records, wanted.max(SMALL))? {
                Ok(0) => {
                    let end = if self.is_cut_an_error { End::Cut } else { End::Clean };
                    inner.end = Some(end);
                    return Some(self.at_end(end));
                }
                Ok(_) => {}
                Err(error) => return Some(Err(error)),
            }
        }
        match inner.decrypt(tcp, buffer, wanted) {
            Ok(0) => inner.end.map(|end| self.at_end(end)),
            result => Some(result),
        }
    }

    fn at_end(&self, end: End) -> io::Result<usize> {
        match end {
            End::Clean => Ok(0),
            End::Cut => Err(io::ErrorKind::UnexpectedEof.into()),
            End::Failed => Err(io::ErrorKind::InvalidData.into()),
        }
    }

    pub(super) fn poll_flush<S: Sys>(
        &self,
        tcp: &TcpStream<S>,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        let mut inner = self.inner.borrow_mut();
        if inner.is_flushed() {
            return Poll::Ready(Ok(()));
        }
        let Inner { unsent, unsent_beyond, .. } = &mut *inner;
        tcp.poll_write_all(context, unsent, unsent_beyond)
    }

    pub(super) fn try_write<S: Sys>(
        &self,
        tcp: &TcpStream<S>,
        head: &[u8],
        rest: &[u8],
    ) -> io::Result<usize> {
        let mut inner = self.inner.borrow_mut();
        if !inner.is_flushed() {
            inner.flush(tcp)?;
            if !inner.is_flushed() {
                return Ok(0);
            }
        }
        inner.encrypt(tcp, head, rest)
    }

    pub(super) fn poll_write_all<S: Sys>(
        &self,
        tcp: &TcpStream<S>,
        context: &mut Context<'_>,
        buffer: &mut Buffer,
        rest: &mut Buffer,
    ) -> Poll<io::Result<()>> {
        loop {
            if self.poll_flush(tcp, context)?.is_pending() {
                buffer.shrink();
                rest.shrink();
                return Poll::Pending;
            }
            if buffer.is_empty() && rest.is_empty() {
                return Poll::Ready(Ok(()));
            }
            ready!(self.poll_write_once(tcp, context, buffer, rest))?;
        }
    }

    pub(super) fn poll_write_some<S: Sys>(
        &self,
        tcp: &TcpStream<S>,
        context: &mut Context<'_>,
        buffer: &mut Buffer,
    ) -> Poll<io::Result<()>> {
        if self.poll_flush(tcp, context)?.is_pending() {
            buffer.shrink();
            return Poll::Pending;
        }
        if buffer.is_empty() {
            return Poll::Ready(Ok(()));
        }
        self.poll_write_once(tcp, context, buffer, &mut Buffer::new())
    }

    /// With nothing unsent.
    fn poll_write_once<S: Sys>(
        &self,
        tcp: &TcpStream<S>,
        context: &mut Context<'_>,
        buffer: &mut Buffer,
        rest: &mut Buffer,
    ) -> Poll<io::Result<()>> {
        if tcp.poll_writable(context)?.is_pending() {
            buffer.shrink();
            rest.shrink();
            return Poll::Pending;
        }
        let taken = self.try_write(tcp, buffer.bytes(), rest.bytes())?;
        let first = taken.min(buffer.len());
        buffer.consume(first);
        rest.consume(taken - first);
        if self.is_flushed() {
            tcp.wrote(taken);
        }
        Poll::Ready(Ok(()))
    }

    /// Says that nothing more comes, once; where the socket does not take it now, the peer sees the bare end.
    pub(super) fn close<S: Sys>(&self, tcp: &TcpStream<S>) {
        if self.is_forsaken.replace(true) {
            return;
        }
        let mut inner = self.inner.borrow_mut();
        if inner.end != Some(End::Failed) && inner.is_flushed() {
            let mut out = Vec::new();
            inner.read_rest(&mut out);
            let Inner { session, records, .. } = &mut *inner;
            session.close(records.bytes_mut(), &mut out);
            let _ = tcp.try_write(&out, &[]);
        }
    }

    pub(super) fn forsake(&self) {
        self.is_forsaken.set(true);
    }
}

impl Inner {
    /// One step of the handshake; what is to be sent goes to `out`.
    fn advance(&mut self, out: &mut Vec<u8>) -> Option<rustls::Error> {
        let plain = &mut self.plain;
        let mut is_full = false;
        let read = self.session.read(
            self.records.bytes_mut(),
            |bytes| {
                is_full = plain.extend(bytes).is_err();
                false
            },
            out,
        );
        self.records.consume(read.consumed);
        if read.has_ended {
            self.end = Some(End::Clean);
        }
        // What came with the end of the handshake may be more than one record.
        self.has_more = !self.records.is_empty() && !self.plain.is_empty();
        read.error.or_else(|| is_full.then(|| rustls::Error::General("out of buffers".into())))
    }

    /// Plain bytes that found no room before.
    fn take_plain(&mut self, buffer: &mut Buffer) -> Option<io::Result<usize>> {
        if self.plain.is_empty() {
            return None;
        }
        let taken = self.take_some(buffer);
        if self.plain.is_empty() {
            std::mem::swap(&mut self.plain, &mut self.beyond);
        }
        Some(taken)
    }

    fn take_some(&mut self, buffer: &mut Buffer) -> io::Result<usize> {
        if buffer.is_empty() {
            std::mem::swap(buffer, &mut self.plain);
            return Ok(buffer.len());
        }
        let count = self.plain.len().min(LARGE - buffer.len());
        let moved = buffer.extend(&self.plain.bytes()[..count]);
        self.plain.consume(count);
        moved.map(|()| count).map_err(full)
    }

    /// Decrypts what is complete into `buffer`, which gets `wanted` bytes or one record more than that.
    fn decrypt<S: Sys>(
        &mut self,
        tcp: &TcpStream<S>,
        buffer: &mut Buffer,
        wanted: usize,
    ) -> io::Result<usize> {
        let before = buffer.len();
        let (mut stopped, mut error) = (false, None);
        let mut out = Vec::new();
        let plain = &mut self.plain;
        let sink = |bytes: &[u8]| {
            let added = match buffer.spare(wanted.max(bytes.len())) {
                Ok(_) => buffer.extend(bytes),
                Err(full) => Err(full),
            };
            match added.or_else(|_| plain.extend(bytes)) {
                Ok(()) => stopped = !plain.is_empty() || buffer.len() >= wanted,
                Err(problem) => (stopped, error) = (true, Some(full(problem))),
            }
            !stopped
        };
        let read = self.session.read(self.records.bytes_mut(), sink, &mut out);
        self.records.consume(read.consumed);
        self.has_more = stopped && !self.records.is_empty();
        if read.has_ended {
            self.end = Some(End::Clean);
        }
        if read.error.is_some() {
            self.end = Some(End::Failed);
        }
        if !out.is_empty() {
            self.hold_back(&out)?;
            // An error shows again where the story writes.
            let _ = self.flush(tcp);
        }
        match error {
            Some(error) => Err(error),
            None => Ok(buffer.len() - before),
        }
    }

    fn is_flushed(&self) -> bool {
        self.unsent.is_empty() && self.unsent_beyond.is_empty()
    }

    /// As much of what is unsent as goes at once.
    fn flush<S: Sys>(&mut self, tcp: &TcpStream<S>) -> io::Result<()> {
        let sent = tcp.try_write(self.unsent.bytes(), self.unsent_beyond.bytes())?;
        let first = sent.min(self.unsent.len());
        self.unsent.consume(first);
        self.unsent_beyond.consume(sent - first);
        if self.unsent.is_empty() {
            std::mem::swap(&mut self.unsent, &mut self.unsent_beyond);
        }
        Ok(())
    }

    fn hold_back(&mut self, records: &[u8]) -> io::Result<()> {
        let room = if self.unsent_beyond.is_empty() { LARGE - self.unsent.len() } else { 0 };
        let (first, rest) = records.split_at(records.len().min(room));
        self.unsent.extend(first).map_err(full)?;
        self.unsent_beyond.extend(rest).map_err(full)
    }

    /// Decrypts all that is complete: a session does not write while there is something to be read.
    fn read_rest(&mut self, out: &mut Vec<u8>) {
        if self.records.is_empty() || self.end.is_some() {
            return;
        }
        // Both are within one largest buffer: what is held is less than a record, and what comes was in one.
        let (plain, beyond, mut is_full) = (&mut self.plain, &mut self.beyond, false);
        let sink = |bytes: &[u8]| {
            let fits = beyond.is_empty() && plain.extend(bytes).is_ok();
            is_full |= !fits && beyond.extend(bytes).is_err();
            true
        };
        let read = self.session.read(self.records.bytes_mut(), sink, out);
        self.records.consume(read.consumed);
        self.has_more = false;
        if read.error.is_some() || is_full {
            self.end = Some(End::Failed);
        } else if read.has_ended {
            self.end = Some(End::Clean);
        }
    }

    /// Encrypts as much of `head` and `rest` as may be held back, and sends what goes.
    fn encrypt<S: Sys>(&mut self, tcp: &TcpStream<S>, head: &[u8], rest: &[u8]) -> io::Result<usize> {
        ROOM.with_borrow_mut(|room| {
            let Room { joined, sealed } = room;
            let plain = match (head.is_empty(), rest.is_empty()) {
                (_, true) => head,
                (true, false) => rest,
                (false, false) => {
                    joined.clear();
                    joined.extend_from_slice(&head[..head.len().min(WRITE_BYTES_MAX)]);
                    joined.extend_from_slice(&rest[..rest.len().min(WRITE_BYTES_MAX - joined.len())]);
                    joined
                }
            };
            let plain = &plain[..plain.len().min(WRITE_BYTES_MAX)];
            if plain.is_empty() {
                return Ok(0);
            }
            sealed.resize(sealed_len(WRITE_BYTES_MAX), 0);
            let mut first = Vec::new();
            self.read_rest(&mut first);
            let written = self.session.write(self.records.bytes_mut(), plain, sealed, &mut first);
            let written = written.map_err(|error| {
                // What came cannot be read: the alert that says so is all that still goes.
                let _ = tcp.try_write(&first, &[]);
                io::Error::new(io::ErrorKind::InvalidData, error)
            })?;
            let sealed = &sealed[..written];
            let sent = tcp.try_write(&first, sealed)?;
            self.hold_back(first.get(sent..).unwrap_or_default())?;
            self.hold_back(&sealed[sent.saturating_sub(first.len())..])?;
            Ok(plain.len())
        })
    }
}

/// Sends all of it, however much that is.
async fn send<S: Sys>(tcp: &TcpStream<S>, bytes: &[u8]) -> io::Result<()> {
    let mut sent = if bytes.is_empty() { 0 } else { tcp.try_write(bytes, &[])? };
    while sent < bytes.len() {
        let mut part = Buffer::new();
        let end = bytes.len().min(sent + LARGE);
        part.extend(&bytes[sent..end]).map_err(full)?;
        tcp.write_all(&mut part, &mut Buffer::new()).await?;
        sent = end;
    }
    Ok(())
}

fn full(problem: BufferFull) -> io::Error {
    match problem {
        BufferFull::Largest => io::ErrorKind::FileTooLarge.into(),
        BufferFull::Budget => io::ErrorKind::OutOfMemory.into(),
    }
}

/// Where a worker puts together what it encrypts.
#[derive(Debug, Default)]
struct Room {
    joined: Vec<u8>,
    sealed: Vec<u8>,
}

thread_local! {
    static ROOM: RefCell<Room> = RefCell::default();
}

// limit: plain bytes that one write takes: their records must fit into two of the largest buffers.
const WRITE_BYTES_MAX: usize = LARGE;
