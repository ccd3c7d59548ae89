//! Checks frames by their header and by the earlier frames, for the connection errors that have an error code of their
//! own in RFC 9113. The HTTP/2 crate refuses them too, but always with PROTOCOL_ERROR.

use super::frame::{self, Head};

/// A violation of the protocol by the client. The connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Violation {
    /// A frame whose kind has a fixed length, with another length (RFC 9113 §4.2).
    FrameSize,
    /// A window larger than the maximum (§6.5.2).
    Window,
    /// DATA or HEADERS after the end of the client's stream (§5.1).
    StreamClosed,
    /// Clients must not push (§8.4).
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

/// The streams on which a client may still send.
#[derive(Clone, Debug, Default)]
pub(super) struct Form {
    last: u32,
    /// A ring of the last streams that the client ended. Older streams, and those that never began, are left to the
    /// crate.
    ended: [u32; ENDED_KEPT],
    next: usize,
    /// A head continues in CONTINUATION frames. Another frame between them is an error that the crate reports.
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

/// Reads the value in SETTINGS that has an error code of its own.
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
// limit: ended streams that are remembered.
const ENDED_KEPT: usize = 16;
