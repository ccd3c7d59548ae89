//! The live connections of one worker: those of TCP and HTTP listeners, and UDP flows.
//!
//! Each worker has one [`ConnectionTable`] and calls it for every event, so nothing is shared. A connection with a socket
//! of its own is inserted and removed by its task. A UDP flow has no task: its datagrams are looked up by their
//! addresses, and the table ends it when it has been idle for too long.
//!
//! Anyone can send datagrams with invented source addresses. A flow that has had no reply may be such a one, so these
//! flows have a limited share, and the oldest of them makes room for the next. A flow that has had a reply is
//! never evicted; it only expires.
//!
//! Every call takes constant time, or time that its argument `most` bounds. What grows with the table is small: a part of
//! the index, some four thousand of 10⁶ flows, and the list of pieces, a memory copy.

mod entry;
mod flows;
mod index;
mod links;
mod list;
mod pieces;
mod table;
mod walk;
mod wheel;

pub use flows::{Datagram, Full, Opened};
pub use table::ConnectionTable;

use std::net::SocketAddr;
use std::num::NonZeroU64;

/// Names a connection of one table. Once the connection is gone, it names nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ConnectionId {
    place: u32,
    /// Tells the connections of one place from each other.
    number: u32,
}

/// What the client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    Http,
    Https,
    Tcp,
    TcpSsl,
    Udp,
}

/// What a connection does at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It has not begun: a PROXY header or a TLS handshake is due.
    Handshake,
    /// It waits for a request.
    Idle,
    /// A request is in flight.
    Active,
    /// Its target has not accepted it yet.
    Connecting,
    /// Bytes may go both ways.
    Open,
    /// The client has finished sending.
    ClientFinished,
    /// The target has finished sending.
    TargetFinished,
    Closing,
    /// A UDP flow that has had no reply.
    Unanswered,
    /// A UDP flow that has had a reply.
    Answered,
}

/// Where a connection came from, and the address at which it arrived. IPv4-mapped addresses are IPv4 addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ends {
    pub source: SocketAddr,
    pub destination: SocketAddr,
}

/// The listener of a connection: a small number that the caller gives to its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ListenerNumber(pub u32);

/// The target of a connection: a number that the caller gives to its group and address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ServerNumber(pub u32);

/// How long a connection may go without a byte, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IdleTimeout {
    #[default]
    None,
    /// The table ends the connection.
    Ends(u32),
    /// A deadline of the caller ends it; the table only shows what is left.
    Shown(u32),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the client.
    In,
    /// To the client.
    Out,
}

/// A connection as operators see it. Times are in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    pub id: ConnectionId,
    pub protocol: Protocol,
    pub ends: Ends,
    pub server: Option<ServerNumber>,
    pub state: State,
    pub listener: ListenerNumber,
    pub age: u64,
    /// Since the last byte.
    pub idle: u64,
    /// `None`: it has no idle timeout.
    pub idle_remaining: Option<u64>,
    pub bytes_in: u64,
    pub bytes_out: u64,
    /// The caller's mark of the session that it belongs to.
    pub session: Option<NonZeroU64>,
}

/// A connection that is in the table no more, with what the caller kept there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended<T> {
    pub row: Row,
    pub payload: T,
}

/// A connection to be inserted.
#[derive(Clone, Copy, Debug)]
pub struct Opening<T> {
    pub protocol: Protocol,
    pub ends: Ends,
    pub state: State,
    pub listener: ListenerNumber,
    pub idle_timeout: IdleTimeout,
    pub payload: T,
}

/// How many UDP flows a table holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlowLimits {
    pub flows: u32,
    /// Of these, flows that have had no reply.
    pub unanswered: u32,
}

/// What has happened in a table since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ConnectionCounts {
    /// Connections and flows.
    pub opened: u64,
    /// By the table, for their idle timeout.
    pub expired: u64,
    /// Flows that made room for others.
    pub evicted: u64,
    /// Flows that found no room.
    pub refused: u64,
}

/// Where a walk over the connections continues.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor(u32);

impl Protocol {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
            Self::Tcp => "tcp",
            Self::TcpSsl => "tcp_ssl",
            Self::Udp => "udp",
        }
    }
}

impl State {
    pub const ALL: [Self; 10] = [
        Self::Handshake,
        Self::Idle,
        Self::Active,
        Self::Connecting,
        Self::Open,
        Self::ClientFinished,
        Self::TargetFinished,
        Self::Closing,
        Self::Unanswered,
        Self::Answered,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Handshake => "handshake",
            Self::Idle => "idle",
            Self::Active => "active",
            Self::Connecting => "connecting",
            Self::Open => "open",
            Self::ClientFinished => "client_finished",
            Self::TargetFinished => "target_finished",
            Self::Closing => "closing",
            Self::Unanswered => "unanswered",
            Self::Answered => "answered",
        }
    }
}

#[cfg(test)]
mod tests;
