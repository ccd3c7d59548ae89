//! Metrics of connections that are passed on as they are.

use model::{ConnectionEnd, Side};

use crate::Counter;

/// Ended connections of one listener on one worker, by end and by the side that ended them.
#[derive(Debug, Default)]
pub struct TcpCells([[Counter; 3]; TCP_ENDS.len()]);

/// The label of each end, and the sides that may have ended a connection so. Of what a connection failed is in the metrics of failures.
pub const TCP_ENDS: [(&str, &[Side]); 5] = [
    ("closed", &[Side::Client, Side::Target]),
    ("reset", &[Side::Client, Side::Target]),
    ("peer_dead", &[Side::Client, Side::Target]),
    ("idle", &[Side::Local]),
    ("failed", &[Side::Client, Side::Target, Side::Local]),
];

impl TcpCells {
    pub fn count(&self, end: ConnectionEnd) {
        self.0[place(end)][end.side() as usize].increment();
    }

    /// Those that failed, of whatever side.
    pub fn failed(&self) -> u64 {
        self.0[FAILED].iter().map(Counter::read).sum()
    }

    /// The count of an end, by its place in [`TCP_ENDS`].
    pub fn read(&self, place: usize, side: Side) -> u64 {
        self.0[place][side as usize].read()
    }
}

fn place(end: ConnectionEnd) -> usize {
    match end {
        ConnectionEnd::Closed(_) => 0,
        ConnectionEnd::Reset(_) => 1,
        ConnectionEnd::PeerDead(_) => 2,
        ConnectionEnd::Idle => 3,
        ConnectionEnd::Failed(_) => FAILED,
    }
}

/// The place in [`TCP_ENDS`].
const FAILED: usize = 4;

#[cfg(test)]
mod tests {
    use model::Failure;

    use super::*;

    #[test]
    fn every_end_is_counted_under_its_label() {
        for end in [
            ConnectionEnd::Closed(Side::Client),
            ConnectionEnd::Reset(Side::Target),
            ConnectionEnd::PeerDead(Side::Target),
            ConnectionEnd::Idle,
        ] {
            let (label, sides) = TCP_ENDS[place(end)];
            assert_eq!((label, sides.contains(&end.side())), (end.word(), true));
        }
        for &failure in Failure::ALL {
            let cells = TcpCells::default();
            cells.count(ConnectionEnd::Failed(failure));
            assert_eq!(cells.read(4, failure.outcome().side), 1);
        }
    }
}
