//! Hands the listener sockets of an address from a stopping process to its successor, so that no connection is lost
//! between them: one that waits in an accept queue is reset when its socket closes, so the socket itself changes hands.
//!
//! A stopping process listens at an abstract Unix socket for each of its addresses (`man 7 unix`), whose name it has had since
//! it took the [`AddressLock`]. A process that finds the lock taken asks there. It is given the lock and the sockets as descriptors (SCM_RIGHTS), serves, and says so
//! with one byte; then the stopping process stops accepting. It accepts until then, and goes on if the other one ends.

use std::io::{self, IoSlice, IoSliceMut, Write};
use std::mem::MaybeUninit;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::Duration;

use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recvmsg, sendmsg, sockopt,
};

use crate::address_lock::{AddressLock, LockError, stopping_name};
use crate::listener::ListenerSocket;

/// The right to serve an address.
#[derive(Debug)]
pub enum Claim {
    /// The address was free.
    Free(AddressLock),
    /// A stopping process has handed it over, with at least one socket.
    HandedOver { lock: AddressLock, sockets: Vec<ListenerSocket>, predecessor: Predecessor },
}

/// A stopping process that accepts until it is told that its successor does.
#[derive(Debug)]
pub struct Predecessor(UnixStream);

/// What a stopping process lets its successor have of one address.
#[derive(Debug)]
pub struct Offer {
    lock: AddressLock,
    sockets: Vec<ListenerSocket>,
    listener: UnixListener,
}

/// Claims `address`. If a process that is stopping serves it, takes it over or waits until it is free. See
/// [`AddressLock::take`] for `is_ours`. Blocks, for some seconds at most.
pub fn claim(address: SocketAddr, is_ours: bool) -> Result<Claim, LockError> {
    let mut refusal = LockError::OtherInstance;
    for _ in 0..ATTEMPTS_MAX {
        match AddressLock::take(address, is_ours) {
            Err(LockError::OtherInstance) => {}
            taken => return taken.map(Claim::Free),
        }
        let stream = match connect(address) {
            Ok(stream) => stream,
            // Its backlog is full.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                refusal = LockError::Occupied;
                continue;
            }
            // Only a stopping process listens there. It may have ended since.
            Err(_) => return AddressLock::take(address, is_ours).map(Claim::Free),
        };
        if !is_trusted(&stream) {
            return Err(LockError::Occupied);
        }
        refusal = LockError::OtherInstance;
        // Without an answer it has stopped accepting meanwhile.
        if let Ok(claim) = receive(stream) {
            return Ok(claim);
        }
    }
    Err(refusal)
}

impl Predecessor {
    /// Tells the stopping process that its successor accepts. It may have ended.
    pub fn serving(mut self) {
        let _ = self.0.write_all(&[SERVING]);
    }
}

impl Offer {
    /// Offers the sockets of `address` from now on.
    pub fn new(address: SocketAddr, lock: AddressLock, sockets: Vec<ListenerSocket>) -> io::Result<Self> {
        let listener = lock.listen(address)?;
        Ok(Self { lock, sockets, listener })
    }

    /// Where successors ask; it does not block.
    pub fn listener(&self) -> io::Result<UnixListener> {
        self.listener.try_clone()
    }

    /// Answers a successor: sends the lock and the sockets. The successor says [`SERVING`] when it serves.
    ///
    /// # Errors
    /// If the process at the other end is one of another user, or gone.
    pub fn hand_over(&self, successor: impl AsFd) -> io::Result<()> {
        if !is_trusted(&successor) {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        let lock = std::iter::once(self.lock.as_fd());
        let all: Vec<_> = lock.chain(self.sockets.iter().filter_map(ListenerSocket::kernel)).collect();
        let mut left = all.len();
        for some in all.chunks(AT_ONCE_MAX) {
            send(&successor, left, some)?;
            left -= some.len();
        }
        Ok(())
    }
}

/// Abstract sockets have no owner: any user of this network namespace can connect or listen.
fn is_trusted(peer: &impl AsFd) -> bool {
    let own = rustix::process::geteuid();
    sockopt::socket_peercred(peer).is_ok_and(|peer| peer.uid == own || peer.uid.is_root())
}

/// Connects within [`CONNECT_PATIENCE`]. Any user can listen at a free name, and let its backlog fill up.
fn connect(address: SocketAddr) -> io::Result<UnixStream> {
    let socket =
        rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    // It bounds the writes, too.
    sockopt::set_socket_timeout(&socket, sockopt::Timeout::Send, Some(CONNECT_PATIENCE))?;
    rustix::net::connect(&socket, &stopping_name(address)?)?;
    Ok(socket.into())
}

/// Each message has the number of descriptors that are left with it.
fn send(to: impl AsFd, left: usize, descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); SPACE];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    ancillary.push(SendAncillaryMessage::ScmRights(descriptors));
    let left = u32::try_from(left).map_err(io::Error::other)?.to_le_bytes();
    sendmsg(to, &[IoSlice::new(&left)], &mut ancillary, SendFlags::NOSIGNAL)?;
    Ok(())
}

fn receive(stream: UnixStream) -> io::Result<Claim> {
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut descriptors = Vec::new();
    loop {
        let before = descriptors.len();
        let left = receive_some(&stream, &mut descriptors)?;
        match left.checked_sub(descriptors.len() - before) {
            // A message without descriptors: this process has too many of them open.
            Some(_) if descriptors.len() == before => return Err(io::ErrorKind::InvalidData.into()),
            Some(0) => break,
            Some(_) => {}
            None => return Err(io::ErrorKind::InvalidData.into()),
        }
    }
    let mut descriptors = descriptors.into_iter();
    let lock = descriptors.next().map(AddressLock::inherited);
    let sockets: Vec<_> = descriptors.map(ListenerSocket::inherited).collect();
    match lock {
        Some(lock) if !sockets.is_empty() => {
            Ok(Claim::HandedOver { lock, sockets, predecessor: Predecessor(stream) })
        }
        _ => Err(io::ErrorKind::InvalidData.into()),
    }
}

/// Returns how many descriptors were left with this message.
fn receive_some(from: &UnixStream, descriptors: &mut Vec<OwnedFd>) -> io::Result<usize> {
    let mut left = [0; 4];
    let mut space = [MaybeUninit::uninit(); SPACE];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let received = recvmsg(from, &mut [IoSliceMut::new(&mut left)], &mut ancillary, RecvFlags::CMSG_CLOEXEC)?;
    for message in ancillary.drain() {
        if let RecvAncillaryMessage::ScmRights(some) = message {
            descriptors.extend(some);
        }
    }
    if received.bytes != left.len() {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    usize::try_from(u32::from_le_bytes(left)).map_err(io::Error::other)
}

/// What a successor sends when it serves.
const SERVING: u8 = b'!';
// limit: descriptors in a message; the kernel takes at most 253.
const AT_ONCE_MAX: usize = 128;
const SPACE: usize = rustix::cmsg_space!(ScmRights(AT_ONCE_MAX));
// limit: attempts to claim an address whose owner changes.
const ATTEMPTS_MAX: usize = 3;
/// How long its backlog may be full.
const CONNECT_PATIENCE: Duration = Duration::from_secs(1);
/// How long a stopping process may take to empty its accept queues.
const PATIENCE: Duration = Duration::from_secs(5);
