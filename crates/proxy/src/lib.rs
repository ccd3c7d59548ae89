//! The data plane: what happens to a connection and to a request.
//!
//! [`Engine`] is the interface for `control`: it starts the workers, hands them a new [`Snapshot`] and stops them. Inside
//! a worker, `connection` takes what a listener accepts, `http` tells the story of a request, and `tcp` that of a connection
//! whose bytes are passed on.

mod arrival;
mod compose;
mod connection;
mod date;
mod decide;
mod descriptors;
mod engine;
mod failed;
#[cfg(test)]
mod fixture;
mod head;
mod http;
mod http2;
mod io_error;
mod live;
mod local;
mod nonces;
mod persist;
mod relay;
mod session;
#[cfg(test)]
mod sim;
mod snapshot;
mod stream;
mod target;
mod tcp;
mod traffic;
mod worker;
mod worker_thread;

pub use connection::limit::ConnectionLimit;
pub use decide::{Explanation, Outcome, explain};
pub use engine::{BoundAddress, Engine, EngineError, StopReport};
pub use http2::HTTP2_HEADER_LIST_BYTES_MAX;
pub use live::{Health, LastFailure, Live, TargetLive};
pub use net::Offer;
pub use persist::{Link, OpenedCookie, SessionMark, SessionScope, SessionTable, shared_lifetime};
pub use snapshot::{GroupPlan, ListenerPlan, Snapshot};
