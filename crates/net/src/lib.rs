//! The workers' runtime: executor, reactor, timers, buffers and sockets.
//!
//! A [`Worker`] is the loop of one thread: a single-threaded executor on an edge-triggered epoll reactor, with a
//! coarse clock, deadlines and leased buffers. Everything on a worker is `!Send`; other threads reach it only through
//! wakers and channels. Each guarantee of the runtime is documented in the module that keeps it:
//!
//! 1. nothing is borrowed while foreign code runs: [`executor`], [`reactor`]
//! 2. a waker is a number; a wake from another thread rings a bell: [`remote`]
//! 3. readiness is cleared only by EAGAIN or a short transfer; sources are registered late: [`reactor`]
//! 4. the sweep registers sources that are in flight, so that an abort is seen: [`worker`]
//! 5. a blocked write keeps only its unsent bytes; leases are capped: [`buffer`], [`stream`]
//! 6. a read is cancel-safe; a cancelled write means that the stream must be closed: [`stream`]
//! 7. fairness by budget: [`executor`], [`stream`]
//! 8. events carry a generation; deadlines fire late, never early: [`reactor`]
//! 9. a panic ends one task: [`executor`]
//! 10. all system calls go through [`Sys`], real or simulated
//! 11. a millisecond timer fires in time and costs nothing when unused: [`milli_timer`].
//!
//! This is the only crate with `unsafe` code.

mod address_lock;
mod buffer;
#[allow(unsafe_code, reason = "rustix has neither recvmmsg nor the messages of IP_PKTINFO")]
mod datagrams;
#[allow(unsafe_code, reason = "wakers that are numbers are built from a vtable")]
mod executor;
mod handover;
mod keepalive;
#[allow(unsafe_code, reason = "descriptors are numbers, so that they can be simulated")]
mod linux;
mod listener;
mod milli_timer;
mod pipe;
mod reactor;
mod remote;
#[cfg(any(test, feature = "sim"))]
pub mod sim;
mod stream;
mod sys;
mod timer;
mod udp;
mod wake_queue;
mod worker;

/// The synchronization types of the wake queue. The loom test replaces this module with loom's types.
mod sync {
    pub(crate) use std::sync::atomic::{AtomicBool, Ordering};
    pub(crate) use std::sync::{Mutex, PoisonError};
}

pub use address_lock::{AddressLock, LockError};
pub use buffer::{Buffer, BufferFull, CLASSES, LARGE, SMALL};
pub use datagrams::{BATCH_MAX, Batch, Datagram, Outgoing};
pub use handover::{Claim, Offer, Predecessor, claim};
pub use linux::{Linux, forgo_huge_pages, monotonic_millis, raise_descriptor_limit};
pub use listener::{Accepted, Listener, ListenerSocket, bind};
pub use milli_timer::{MilliTimer, TimedOut};
pub use pipe::{Moved, Pipe};
pub use reactor::Ticks;
pub use stream::{IdleMark, StreamKey, TcpStream};
pub use sys::{Bell, Event, Fd, Sys};
pub use timer::Timer;
pub use udp::{DatagramSocket, UdpSocket, bind_udp};
pub use worker::{Worker, WorkerStats};
