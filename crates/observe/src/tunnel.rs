//! Metrics of a listener's tunnels, while they are open and when they end.

use model::Failure;

use crate::{Counter, Gauge};

/// The tunnel cells of one listener on one worker.
#[derive(Debug, Default)]
pub struct TunnelCells {
    pub opened: Counter,
    pub open: Gauge,
    pub closed: [Counter; TunnelEnd::ALL.len()],
    pub received_bytes: Counter,
    pub sent_bytes: Counter,
    /// Pings that we sent.
    pub pings: Counter,
    pub frames_from_client: TunnelFrames,
    pub frames_from_target: TunnelFrames,
}

/// Frames in one direction, of tunnels whose frames are parsed.
pub type TunnelFrames = [Counter; TUNNEL_FRAMES.len()];

/// The label of each kind of frame. The last one counts tunnels whose bytes were not valid frames.
pub const TUNNEL_FRAMES: [&str; 7] = ["continuation", "text", "binary", "close", "ping", "pong", "malformed"];

/// How a tunnel ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TunnelEnd {
    /// Both sides finished.
    Closed,
    Broken,
    Idle,
    PeerDead,
    Lifetime,
    Drained,
    /// Cut off at the end of a stop, or by a panic.
    CutOff,
}

impl TunnelEnd {
    pub const ALL: [Self; 7] =
        [Self::Closed, Self::Broken, Self::Idle, Self::PeerDead, Self::Lifetime, Self::Drained, Self::CutOff];

    pub const fn of(failure: Option<Failure>) -> Self {
        match failure {
            None => Self::Closed,
            Some(Failure::TunnelBroken) => Self::Broken,
            Some(Failure::TunnelIdle) => Self::Idle,
            Some(Failure::PeerDead) => Self::PeerDead,
            Some(Failure::TunnelLifetime) => Self::Lifetime,
            Some(Failure::TunnelDrained) => Self::Drained,
            Some(_) => Self::CutOff,
        }
    }

    /// The label: the reason word in the access log, if there is one.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Broken => Failure::TunnelBroken.outcome().reason,
            Self::Idle => Failure::TunnelIdle.outcome().reason,
            Self::PeerDead => Failure::PeerDead.outcome().reason,
            Self::Lifetime => Failure::TunnelLifetime.outcome().reason,
            Self::Drained => Failure::TunnelDrained.outcome().reason,
            Self::CutOff => Failure::Stopped.outcome().reason,
        }
    }
}

impl TunnelCells {
    pub fn count_end(&self, end: TunnelEnd) {
        self.open.decrement();
        self.closed[end as usize].increment();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tunnel_that_was_opened_is_open_or_was_closed() {
        let cells = TunnelCells::default();
        for (place, end) in TunnelEnd::ALL.into_iter().enumerate() {
            assert_eq!(end as usize, place);
            cells.opened.increment();
            cells.open.increment();
            cells.count_end(end);
            assert_eq!(cells.closed[place].read(), 1);
        }
        assert_eq!(cells.open.read(), 0);
    }

    #[test]
    fn every_failure_within_a_tunnel_has_a_label_of_its_own() {
        let switched = Failure::ALL.iter().filter(|failure| failure.outcome().status == 101);
        for &failure in switched {
            assert_eq!(TunnelEnd::of(Some(failure)).as_str(), failure.outcome().reason);
        }
        assert_eq!(TunnelEnd::of(None).as_str(), "closed");
        assert_eq!(TunnelEnd::of(Some(Failure::Stopped)).as_str(), "stopped");
    }
}
