//! How a TCP connection ended, and by which side.

use crate::{Failure, Side};

/// The word stands in log and metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectionEnd {
    /// Both sides have ended their streams; this one was first.
    Closed(Side),
    /// This side has reset its connection, and the other side's was reset for it.
    Reset(Side),
    /// The kernel gave up the connection of this side, which acknowledged neither data nor keepalive probes.
    PeerDead(Side),
    /// No byte went in either direction for `idle_timeout`.
    Idle,
    /// The connection did not reach a target, or was cut off.
    Failed(Failure),
}

impl ConnectionEnd {
    pub const fn word(self) -> &'static str {
        match self {
            Self::Closed(_) => "closed",
            Self::Reset(_) => "reset",
            Self::PeerDead(_) => Failure::PeerDead.outcome().reason,
            Self::Idle => "idle",
            Self::Failed(failure) => failure.outcome().reason,
        }
    }

    /// The side that ended it.
    pub const fn side(self) -> Side {
        match self {
            Self::Closed(side) | Self::Reset(side) | Self::PeerDead(side) => side,
            Self::Idle => Side::Local,
            Self::Failed(failure) => failure.outcome().side,
        }
    }

    pub const fn failure(self) -> Option<Failure> {
        match self {
            Self::Failed(failure) => Some(failure),
            _ => None,
        }
    }
}
