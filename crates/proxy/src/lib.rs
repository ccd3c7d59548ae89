//! The data plane: what happens to a connection and to a request.
//!
//! [`Engine`] is the door for `control`: it starts the workers, hands them a new [`Snapshot`] and stops them. Inside
//! a worker, `connection` takes what a listener accepts, and `http` tells the story of a request.

mod accept;
mod clients;
mod connection;
mod date;
mod engine;
mod http;
mod http2;
mod live;
mod local;
mod peer;
mod places;
mod pool;
mod proxy_header;
mod room;
mod seat;
mod secure;
mod shown;
mod snapshot;
mod stream;
mod watch;
mod worker;

pub use engine::{BoundListener, Engine, EngineError, StopReport};
pub use live::{Health, Live, TargetLive};
pub use room::Room;
pub use snapshot::{GroupPlan, ListenerPlan, Snapshot};
