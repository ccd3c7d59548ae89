//! The runtime of the workers, and their sockets.
//!
//! One [`Worker`] is one thread's loop: a single-threaded executor on an edge-triggered epoll reactor, with a
//! coarse clock, deadlines and leased buffers. Everything on it is `!Send`; other threads reach it through
//! wakers and channels only. What the runtime guarantees is stated where it is kept:
//!
//! 1. no borrow across foreign code: [`executor`], [`reactor`]
//! 2. a waker is a number; another thread's wake rings a bell: [`remote`]
//! 3. readiness is cleared only by EAGAIN or a short transfer; registration is late: [`reactor`]
//! 4. the sweep registers what is in flight, so that an abort is seen: [`worker`]
//! 5. a blocked write keeps only its rest; leases are capped: [`buffer`], [`stream`]
//! 6. filling is cancel-safe, writing is not and closes: [`stream`]
//! 7. fairness by budget: [`executor`], [`stream`]
//! 8. events carry a generation; deadlines fire late, never early: [`reactor`]
//! 9. a panic ends one task: [`executor`]
//! 10. the few system calls stand behind [`Sys`], real or simulated
//! 11. a millisecond timer fires in time and costs nothing when unused: [`milli_timer`].
//!
//! This is the only crate with `unsafe` code.

mod address_lock;
mod buffer;
#[allow(unsafe_code, reason = "wakers that are numbers are built from a vtable")]
mod executor;
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
mod wake_queue;
mod worker;

/// What the wake queue synchronizes with; a test puts loom's in its place.
mod sync {
    pub(crate) use std::sync::atomic::{AtomicBool, Ordering};
    pub(crate) use std::sync::{Mutex, PoisonError};
}

pub use address_lock::{AddressLock, LockError};
pub use buffer::{Buffer, BufferFull, CLASSES, LARGE, SMALL};
pub use linux::{Linux, forgo_huge_pages, raise_descriptor_limit};
pub use listener::{Accepted, Listener, ListenerSocket, bind};
pub use milli_timer::{MilliTimer, TimedOut};
pub use pipe::{Moved, Pipe};
pub use reactor::Ticks;
pub use stream::{IdleMark, StreamKey, TcpStream};
pub use sys::{Bell, Event, Fd, Sys};
pub use timer::Timer;
pub use worker::{Worker, WorkerStats};
