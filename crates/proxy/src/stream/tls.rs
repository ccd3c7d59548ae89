//! TLS on a TCP connection: decrypts what is read from the socket, encrypts what is written to it.
//!
//! Incomplete records, plaintext that did not fit into the caller's buffer and records that the socket did not take are
//! kept in leased buffers. An empty buffer has no lease.

use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use net::{Buffer, BufferFull, LARGE, SMALL, Sys, TcpStream};
use rustls::pki_types::CertificateDer;
use tls::{Host, Identity, Session, sealed_len};

use crate::connection::revocation_watch::WatchGuard;

/// The TLS session of one connection and the bytes that it buffers.
#[derive(Debug)]
pub(crate) struct Tls {
    inner: RefCell<Inner>,
    /// No `close_notify` will be sent: it was sent already, or the close is a reset.
    skips_close_notify: Cell<bool>,
    /// An end of stream without `close_notify` is an error. True for targets: the end of stream may delimit a response, and
    /// an attacker could truncate it.
    is_truncation_error: bool,
    /// What the handshake with a client established; `None` for a target.
    facts: Option<Rc<TlsFacts>>,
}

/// What the handshake with a client established.
#[derive(Debug)]
pub(crate) struct TlsFacts {
    /// The host whose certificate was used.
    pub(crate) host: Arc<Host>,
    /// The client asked for a name: another connection for another name would get another certificate.
    pub(crate) has_sent_name: bool,
    /// The name, where it is logged.
    pub(crate) server_name: Option<Box<str>>,
    /// The protocol that was agreed on by ALPN, where rules go by it.
    pub(crate) protocol: Option<Box<[u8]>>,
    /// The identity in the client's certificate; `None`: it sent none.
    pub(crate) identity: Option<Identity>,
    /// For the access log.
    pub(crate) version: &'static str,
    pub(crate) suite: &'static str,
    /// Lets a revocation of the client's certificate end the connection.
    pub(crate) watch_guard: Option<WatchGuard>,
}

impl TlsFacts {
    /// Whether the connection was cut because the client's certificate was revoked.
    pub(crate) fn is_revoked(&self) -> bool {
        self.watch_guard.as_ref().is_some_and(WatchGuard::is_cut)
    }
}

#[derive(Debug)]
struct Inner {
    session: Session,
    /// Received, not decrypted.
    records: Buffer,
    /// `records` may hold a complete record: decrypt before the next read from the socket.
    has_more: bool,
    /// Decrypted, not taken by the caller.
    plaintext: Buffer,
    /// The bytes after `plaintext` that did not fit into it.
    plaintext_overflow: Buffer,
    /// Encrypted, not sent.
    unsent: Buffer,
    /// The bytes after `unsent` that did not fit into it.
    unsent_overflow: Buffer,
    /// Why no more plaintext will come.
    end: Option<End>,
}

/// How the peer's plaintext ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// `close_notify`, or an end of stream where truncation is no error.
    Clean,
    /// An end of stream without `close_notify`.
    Truncated,
    /// A record that is not valid TLS or cannot be decrypted.
    Failed,
}

/// Why a handshake failed.
#[derive(Debug)]
pub(crate) enum HandshakeError {
    /// An error of the socket.
    Io(io::Error),
    /// The peer closed the connection before the handshake was finished.
    Closed,
    /// An error of rustls. The alert for the peer was sent, if the socket took it.
    Tls(rustls::Error),
}

impl Tls {
    /// Performs the handshake on `tcp`, under its deadlines. `records` was read already.
    pub(crate) async fn handshake<S: Sys>(
        tcp: &TcpStream<S>,
        session: Session,
        records: Buffer,
        is_truncation_error: bool,
    ) -> Result<Box<Self>, HandshakeError> {
        let mut inner = Inner {
            session,
            records,
            has_more: false,
            plaintext: Buffer::new(),
            plaintext_overflow: Buffer::new(),
            unsent: Buffer::new(),
            unsent_overflow: Buffer::new(),
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
        Ok(Box::new(Self { inner, skips_close_notify: Cell::new(false), is_truncation_error, facts: None }))
    }

    /// Stores what the handshake with a client established. `watch` registers the client's certificates for revocation.
    ///
    /// # Errors
    /// If the client's certificate cannot be parsed.
    pub(crate) fn record_facts(
        &mut self,
        host: &Arc<Host>,
        has_sent_name: bool,
        server_name: Option<&str>,
        keeps_protocol: bool,
        watch: impl FnOnce(&[CertificateDer<'static>]) -> WatchGuard,
    ) -> Result<(), tls::Unreadable> {
        let session = &self.inner.get_mut().session;
        // Watched even if the host does not close revoked connections now: a reload may change that.
        let watch_guard = session.peer_certificates().map(watch);
        let identity = match session.peer_certificates().and_then(<[_]>::first) {
            Some(leaf) => Some(Identity::of(leaf)?),
            None => None,
        };
        let (version, suite) = (session.version_text(), session.suite_name());
        let protocol = session.protocol().filter(|_| keeps_protocol).map(Box::from);
        self.facts = Some(Rc::new(TlsFacts {
            host: Arc::clone(host),
            has_sent_name,
            server_name: server_name.map(Box::from),
            protocol,
            identity,
            version,
            suite,
            watch_guard,
        }));
        Ok(())
    }

    /// What the handshake with a client established; `None` for a target.
    pub(crate) fn facts(&self) -> Option<&Rc<TlsFacts>> {
        self.facts.as_ref()
    }

    /// Calls `read` with the session, from which protocol, version and so on can be read.
    pub(crate) fn with_session<T>(&self, read: impl FnOnce(&Session) -> T) -> T {
        read(&self.inner.borrow().session)
    }

    /// Whether a read may have a result without a read from the socket.
    pub(super) fn is_readable(&self) -> bool {
        let inner = self.inner.borrow();
        inner.has_more || !inner.plaintext.is_empty() || inner.end.is_some()
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
        // Buffered records are sent before the wait: they may be the request whose response is awaited.
        // An error is left to the next write: a peer that has stopped reading may already have sent its response.
        let _ = self.poll_flush(tcp, context);
        loop {
            if !self.is_readable() && tcp.poll_readable(context)?.is_pending() {
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
        if let Some(result) = inner.take_plaintext(buffer) {
            return Some(result);
        }
        if !inner.has_more {
            if let Some(end) = inner.end {
                return Some(self.read_at_end(end));
            }
            match tcp.try_fill(&mut inner.records, wanted.max(SMALL))? {
                Ok(0) => {
                    let end = if self.is_truncation_error { End::Truncated } else { End::Clean };
                    inner.end = Some(end);
                    return Some(self.read_at_end(end));
                }
                Ok(_) => {}
                Err(error) => return Some(Err(error)),
            }
        }
        match inner.decrypt(tcp, buffer, wanted) {
            Ok(0) => inner.end.map(|end| self.read_at_end(end)),
            result => Some(result),
        }
    }

    fn read_at_end(&self, end: End) -> io::Result<usize> {
        match end {
            End::Clean => Ok(0),
            End::Truncated => Err(io::ErrorKind::UnexpectedEof.into()),
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
        let Inner { unsent, unsent_overflow, .. } = &mut *inner;
        tcp.poll_write_all(context, unsent, unsent_overflow)
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

    /// Writes once. The caller has flushed the buffered records.
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

    /// Encrypts `close_notify`, once, and sends what the socket takes without waiting; the rest is buffered, so
    /// [`Self::is_flushed`] tells whether all of it has gone. A drop loses that rest, and the peer then sees only the end of
    /// stream.
    pub(super) fn close<S: Sys>(&self, tcp: &TcpStream<S>) {
        if self.skips_close_notify.replace(true) {
            return;
        }
        let mut inner = self.inner.borrow_mut();
        if inner.end == Some(End::Failed) {
            return;
        }
        let mut out = Vec::new();
        inner.read_rest(&mut out);
        let Inner { session, records, .. } = &mut *inner;
        session.close(records.bytes_mut(), &mut out);
        // Without a buffer the peer sees only the end of stream, and an error of the socket shows again.
        if inner.keep_unsent(&out).is_ok() {
            let _ = inner.flush(tcp);
        }
    }

    /// Prevents `close_notify`: the connection will be reset.
    pub(super) fn suppress_close_notify(&self) {
        self.skips_close_notify.set(true);
    }
}

impl Inner {
    /// Makes one step of the handshake. Appends the bytes that must be sent to `out`.
    fn advance(&mut self, out: &mut Vec<u8>) -> Option<rustls::Error> {
        let plaintext = &mut self.plaintext;
        let mut is_full = false;
        let read = self.session.read(
            self.records.bytes_mut(),
            |bytes| {
                is_full = plaintext.extend(bytes).is_err();
                false
            },
            out,
        );
        self.records.consume(read.consumed);
        if read.has_ended {
            self.end = Some(End::Clean);
        }
        // More than one record may have arrived with the end of the handshake.
        self.has_more = !self.records.is_empty() && !self.plaintext.is_empty();
        read.error.or_else(|| is_full.then(|| rustls::Error::General("out of buffers".into())))
    }

    /// Moves buffered plaintext to `buffer`; `None`: there is none.
    fn take_plaintext(&mut self, buffer: &mut Buffer) -> Option<io::Result<usize>> {
        if self.plaintext.is_empty() {
            return None;
        }
        let taken = self.take_some(buffer);
        if self.plaintext.is_empty() {
            std::mem::swap(&mut self.plaintext, &mut self.plaintext_overflow);
        }
        Some(taken)
    }

    fn take_some(&mut self, buffer: &mut Buffer) -> io::Result<usize> {
        if buffer.is_empty() {
            std::mem::swap(buffer, &mut self.plaintext);
            return Ok(buffer.len());
        }
        let count = self.plaintext.len().min(LARGE - buffer.len());
        let moved = buffer.extend(&self.plaintext.bytes()[..count]);
        self.plaintext.consume(count);
        moved.map(|()| count).map_err(full)
    }

    /// Decrypts complete records into `buffer` until it holds at least `wanted` bytes. The last record may exceed that.
    fn decrypt<S: Sys>(
        &mut self,
        tcp: &TcpStream<S>,
        buffer: &mut Buffer,
        wanted: usize,
    ) -> io::Result<usize> {
        let before = buffer.len();
        let (mut stopped, mut error) = (false, None);
        let mut out = Vec::new();
        let plaintext = &mut self.plaintext;
        let sink = |bytes: &[u8]| {
            let added = match buffer.spare(wanted.max(bytes.len())) {
                Ok(_) => buffer.extend(bytes),
                Err(full) => Err(full),
            };
            match added.or_else(|_| plaintext.extend(bytes)) {
                Ok(()) => stopped = !plaintext.is_empty() || buffer.len() >= wanted,
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
            self.keep_unsent(&out)?;
            // The next write returns the error again.
            let _ = self.flush(tcp);
        }
        match error {
            Some(error) => Err(error),
            None => Ok(buffer.len() - before),
        }
    }

    fn is_flushed(&self) -> bool {
        self.unsent.is_empty() && self.unsent_overflow.is_empty()
    }

    /// Sends as many unsent bytes as the socket takes without waiting.
    fn flush<S: Sys>(&mut self, tcp: &TcpStream<S>) -> io::Result<()> {
        let sent = tcp.try_write(self.unsent.bytes(), self.unsent_overflow.bytes())?;
        let first = sent.min(self.unsent.len());
        self.unsent.consume(first);
        self.unsent_overflow.consume(sent - first);
        if self.unsent.is_empty() {
            std::mem::swap(&mut self.unsent, &mut self.unsent_overflow);
        }
        Ok(())
    }

    /// Buffers records that the socket did not take.
    fn keep_unsent(&mut self, records: &[u8]) -> io::Result<()> {
        let free = if self.unsent_overflow.is_empty() { LARGE - self.unsent.len() } else { 0 };
        let (first, rest) = records.split_at(records.len().min(free));
        self.unsent.extend(first).map_err(full)?;
        self.unsent_overflow.extend(rest).map_err(full)
    }

    /// Decrypts all complete records: the session must have read them before it can write.
    fn read_rest(&mut self, out: &mut Vec<u8>) {
        if self.records.is_empty() || self.end.is_some() {
            return;
        }
        // Two of the largest buffers suffice: `plaintext` holds at most one record, and `records` fits into one buffer.
        let (plaintext, overflow, mut is_full) = (&mut self.plaintext, &mut self.plaintext_overflow, false);
        let sink = |bytes: &[u8]| {
            let fits = overflow.is_empty() && plaintext.extend(bytes).is_ok();
            is_full |= !fits && overflow.extend(bytes).is_err();
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

    /// Encrypts as much of `head` and `rest` as the buffers can hold, and sends what the socket takes; the rest is buffered.
    /// Returns the number of plaintext bytes that were accepted.
    fn encrypt<S: Sys>(&mut self, tcp: &TcpStream<S>, head: &[u8], rest: &[u8]) -> io::Result<usize> {
        SCRATCH.with_borrow_mut(|scratch| {
            let Scratch { joined, sealed } = scratch;
            let plaintext = match (head.is_empty(), rest.is_empty()) {
                (_, true) => head,
                (true, false) => rest,
                (false, false) => {
                    joined.clear();
                    joined.extend_from_slice(&head[..head.len().min(WRITE_BYTES_MAX)]);
                    joined.extend_from_slice(&rest[..rest.len().min(WRITE_BYTES_MAX - joined.len())]);
                    joined
                }
            };
            let plaintext = &plaintext[..plaintext.len().min(WRITE_BYTES_MAX)];
            if plaintext.is_empty() {
                return Ok(0);
            }
            sealed.resize(sealed_len(WRITE_BYTES_MAX), 0);
            let mut first = Vec::new();
            self.read_rest(&mut first);
            let written = self.session.write(self.records.bytes_mut(), plaintext, sealed, &mut first);
            let written = written.map_err(|error| {
                // The session has failed at a received record. Only the alert is still sent.
                let _ = tcp.try_write(&first, &[]);
                io::Error::new(io::ErrorKind::InvalidData, error)
            })?;
            let sealed = &sealed[..written];
            let sent = tcp.try_write(&first, sealed)?;
            self.keep_unsent(first.get(sent..).unwrap_or_default())?;
            self.keep_unsent(&sealed[sent.saturating_sub(first.len())..])?;
            Ok(plaintext.len())
        })
    }
}

/// Sends all of `bytes`, which may be larger than the largest buffer.
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

/// Buffers for the encryption of one write. Each worker has one pair, which is not kept per connection.
#[derive(Debug, Default)]
struct Scratch {
    /// `head` and `rest` of a write, if it has both.
    joined: Vec<u8>,
    sealed: Vec<u8>,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

// limit: plaintext bytes that one write accepts. Their records must fit into two of the largest buffers.
const WRITE_BYTES_MAX: usize = LARGE;
