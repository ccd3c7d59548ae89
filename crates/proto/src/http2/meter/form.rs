//! What a frame must be by its head, and by what the client has said before: the connection errors for which RFC 9113
//! has a code of its own. The crate behind the meter refuses them too, but all as PROTOCOL_ERROR.

use super::frame::{self, Head};

/// What a client does that no client may. Its connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Violation {
    /// A frame of a kind that has one length, with another (RFC 9113 §4.2).
    FrameSize,
    /// A window larger than there can be (§6.5.2).
    Window,
    /// DATA or HEADERS behind what the client itself said to be the end of the stream (§5.1).
    StreamClosed,
    /// Clients do not push (§8.4).
    Push,
}

impl Violation {
    pub const ALL: [Self; 4] = [Self::FrameSize, Self::Window, Self::StreamClosed, Self::Push];

    pub const fn reason(self) -> &'static str {
        match self {
            Self::FrameSize => "frame_size",
            Self::Window => "window",
            Self::StreamClosed => "stream_closed",
            Self::Push => "push",
        }
    }
}

/// Which streams a client may still send on.
#[derive(Clone, Debug, Default)]
pub(super) struct Form {
    last: u32,
    /// Those that the client ended last, in a ring. What is older, or was never begun, is left to the crate.
    ended: [u32; ENDED_KEPT],
    next: usize,
    /// A head goes on in CONTINUATION frames, between which nothing else may come: that is another error.
    is_in_head: bool,
}

impl Form {
    pub(super) fn check(&mut self, head: Head) -> Result<(), Violation> {
        let Head { kind, flags, stream, bytes } = head;
        let is_right = match kind {
            frame::SETTINGS => bytes.is_multiple_of(SETTING_BYTES) && (flags & ACK == 0 || bytes == 0),
            frame::PING => bytes == 8,
            frame::RST_STREAM | frame::WINDOW_UPDATE => bytes == 4,
            frame::PRIORITY => bytes == 5,
            frame::PUSH_PROMISE => return Err(Violation::Push),
            _ => true,
        };
        if !is_right {
            return Err(Violation::FrameSize);
        }
        let was_in_head = self.is_in_head;
        if matches!(kind, frame::HEADERS | frame::CONTINUATION) {
            self.is_in_head = flags & END_HEADERS == 0;
        }
        if was_in_head {
            return Ok(());
        }
        let ends = flags & frame::END_STREAM != 0;
        match kind {
            frame::HEADERS | frame::DATA if self.has_ended(stream) => return Err(Violation::StreamClosed),
            frame::HEADERS | frame::DATA if ends => self.end(stream),
            frame::RST_STREAM if stream <= self.last && !self.has_ended(stream) => self.end(stream),
            _ => {}
        }
        self.last = if kind == frame::HEADERS { self.last.max(stream) } else { self.last };
        Ok(())
    }

    fn has_ended(&self, stream: u32) -> bool {
        stream > 0 && stream <= self.last && self.ended.contains(&stream)
    }

    fn end(&mut self, stream: u32) {
        self.ended[self.next] = stream;
        self.next = (self.next + 1) % ENDED_KEPT;
    }
}

/// Reads SETTINGS for the one value that has an error of its own.
#[derive(Clone, Debug, Default)]
pub(super) struct Settings {
    entry: [u8; SETTING_BYTES as usize],
    held: usize,
}

impl Settings {
    pub(super) fn read(&mut self, payload: &[u8]) -> Result<(), Violation> {
        for &byte in payload {
            self.entry[self.held] = byte;
            self.held += 1;
            if self.held < self.entry.len() {
                continue;
            }
            self.held = 0;
            let [a, b, value @ ..] = self.entry;
            if [a, b] == INITIAL_WINDOW_SIZE && u32::from_be_bytes(value) > WINDOW_MAX {
                return Err(Violation::Window);
            }
        }
        Ok(())
    }
}

const ACK: u8 = 1;
const SETTING_BYTES: u32 = 6;
const INITIAL_WINDOW_SIZE: [u8; 2] = [0, 4];
const WINDOW_MAX: u32 = 0x7fff_ffff;
const END_HEADERS: u8 = 4;
// limit: streams that are remembered to be ended.
const ENDED_KEPT: usize = 16;
