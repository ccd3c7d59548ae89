//! Connection limits: which accept gets a permit, which connection is evicted, and which accepts are woken (KA10, KA11).
//!
//! A permit is taken from a [`PermitPool`] before a connection is accepted, so that there are never more connections
//! than the limit allows. An accept that finds no permit waits ([`WaitingAccept`]) and asks for an eviction: the worker
//! with the connection that has been idle longest closes it. If no connection is idle, the accept is blocked; then a
//! connection that goes idle is evicted, and a connection in use is closed after its response.
//!
//! The process has a limit too: its file descriptors. Connections to targets use them without a permit, and idle ones are
//! evicted like those of clients ([`Spares`]). An accept that is blocked there does not wait: the newcomer is refused.
//!
//! Nothing here blocks, wakes or reads a clock. Functions return what the caller has to wake; times are milliseconds
//! that only go forward. All workers use the same pools and boards at the same time, through [`Cells`]: atomics in the
//! product, cells that interrupt each other under the simulation in `tests/sim_connection_limit.rs`.

mod board;
mod cells;
mod client_counts;
mod client_limit;
mod eviction_order;
mod idle_order;
mod permit;
mod pool;
mod pools;
mod rate;
mod scope;
mod spares;
mod waiting;

pub use board::IdleBoard;
pub use cells::{Cells, Lock, Number};
pub use client_limit::{ClientLimit, CountedClient};
pub use eviction_order::{Evicted, EvictionOrder, IdleEntry, Shared};
pub use permit::PermitState;
pub use pool::{Eviction, PermitPool};
pub use pools::{Full, Pools};
pub use rate::NewPerSecond;
pub use scope::{Scope, Wakes};
pub use spares::Spares;
pub use waiting::{Ask, WaitingAccept, take_or_wait};

// The clocks of two workers differ by less than this: each worker reads its clock once a loop.
const CLOCKS_APART_MILLIS: u64 = 100;
// limit: a new connection may have a request on the way, and is not evicted before it has been silent for this long.
const SILENT_AT_LEAST_MILLIS: u64 = 1_000;
