//! The byte counts of one exchange.

use std::cell::Cell;

use observe::Counter;

/// Body bytes of one exchange in both directions, without their framing.
///
/// The exchange owns it, and readers and tunnels count into it while bytes move, so an exchange that is cut off is
/// recorded with what had moved until then.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    /// From the client.
    pub(crate) up: Cell<u64>,
    /// To the client.
    pub(crate) down: Cell<u64>,
    /// From the target, where the response is compressed on its way.
    pub(crate) plain: Cell<u64>,
}

/// Counts one direction of a tunnel, for its exchange and, if it is one of a WebSocket, for the metrics of those.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TunnelMeter<'a> {
    pub(crate) bytes: &'a Cell<u64>,
    pub(crate) counter: Option<&'a Counter>,
}

impl TunnelMeter<'_> {
    pub(crate) fn add(&self, count: usize) {
        add(self.bytes, count as u64);
        self.counter.iter().for_each(|counter| counter.add(count as u64));
    }
}

pub(crate) fn add(bytes: &Cell<u64>, count: u64) {
    bytes.set(bytes.get() + count);
}
