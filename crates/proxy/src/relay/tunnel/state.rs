//! What the two directions of a tunnel of frames and the task that attends it share.

use std::cell::Cell;

use proto::websocket::ControlFrame;

/// A frame of ours for the receiver, to be sent when the sender is between two frames.
#[derive(Clone, Copy)]
pub(super) enum Control {
    Ping(ControlFrame),
    Close(ControlFrame),
}

/// The state of one direction.
pub(super) struct DirectionState {
    /// Waits for the end of the frame that is on its way.
    pub(super) control: Cell<Option<Control>>,
    /// When the last bytes came from the sender, in nanoseconds of the worker's clock.
    pub(super) last_read: Cell<u64>,
    /// The sender has sent a Close or ended its stream.
    pub(super) is_over: Cell<bool>,
}

impl DirectionState {
    pub(super) fn new(now: u64) -> Self {
        Self { control: Cell::new(None), last_read: Cell::new(now), is_over: Cell::new(false) }
    }

    /// Sends `control` as soon as the sender is between two frames; the caller must have the task polled once more.
    pub(super) fn send_control(&self, control: Control) {
        self.control.set(Some(control));
    }
}
