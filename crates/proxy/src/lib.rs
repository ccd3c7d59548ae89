//! The data plane: what happens to a connection and to a request.
//!
//! [`Engine`] is the bound for `control`: it starts the workers, hands them a new [`Snapshot`] and stops them. Inside
//! a worker, `connection` takes what a listener accepts, and `http` tells the story of a request.

mod accept;
mod arrival;
mod atomics;
mod compose;
mod connection;
mod date;
mod decide;
mod engine;
mod failed;
mod head;
mod http;
mod http2;
mod idle_connections;
mod io_error;
mod limit;
mod live;
mod local;
mod permit;
mod proxy_header;
mod relay;
mod request_slot;
mod revocation_watch;
mod secure;
mod snapshot;
mod stream;
mod target;
mod waiters;
mod worker;

pub use decide::{Explanation, Outcome, explain};
pub use engine::{BoundAddress, Engine, EngineError, StopReport};
pub use limit::ConnectionLimit;
pub use live::{Health, Live, TargetLive};
pub use snapshot::{GroupPlan, ListenerPlan, Snapshot};
