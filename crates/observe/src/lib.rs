//! What the balancer reports: per-worker counters and histograms, the Prometheus page made from them, the
//! access record and the thread that writes it to files, and the operators' log.
//!
//! Nothing here makes a decision about a request, and no text sent by a client becomes a label.

mod cells;
mod escape;
mod events;
mod families;
mod handshake;
mod histogram;
mod http2;
mod log;
mod per_worker;
mod prometheus;
mod record;
mod render;
mod session;
mod tcp;
mod timestamp;
mod tunnel;

pub use cells::{CachePadded, Counter, Gauge};
pub use events::{
    Cause, Event, EventLog, EventRow, EventTotals, Fields, event, event_and_flush, failure_event, tell,
};
pub use families::{
    Compressed, EndedConnection, Failures, Finished, ListenerCells, MadeBy, PhaseHistograms, PhaseTimes,
    ProxyHeader, ProxyHeaders, Refusal, Refusals, Responses, StatusClasses, TargetCells, WorkerCells,
};
pub use handshake::{Handshake, Handshakes};
pub use histogram::{Histogram, HistogramTotals};
pub use http2::{HTTP2_FAULTS, Http2Faults};
pub use log::{AccessLogs, LogBuffer, LogHandle, LogTotals, LogTrouble, Reopened};
pub use per_worker::PerWorker;
pub use prometheus::{Exposition, Family, Kind, Value};
pub use record::{AccessRecord, ConnectionRecord};
pub use render::{
    render_events, render_listener_limits, render_listeners, render_load_balancers, render_logs,
    render_targets, render_workers,
};
pub use session::{CookieRefusal, SessionCells, SessionOutcome};
pub use tcp::{TCP_ENDS, TcpCells};
pub use timestamp::Timestamp;
pub use tunnel::{TUNNEL_FRAMES, TunnelCells, TunnelEnd, TunnelFrames};
