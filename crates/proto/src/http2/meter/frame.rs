//! Finds frame headers in a byte stream (RFC 9113 §4.1), at any split of the bytes.

use super::form::{Settings, Violation};

/// A frame, as far as the meter needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Frame {
    /// Whether it is empty and does not end the stream.
    Data {
        is_idle: bool,
    },
    Headers {
        stream: u32,
        bytes: u32,
    },
    Continuation {
        bytes: u32,
    },
    Priority,
    Reset,
    Settings,
    Ping,
    WindowUpdate,
    Other,
}

/// A frame header as it was sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) kind: u8,
    pub(super) flags: u8,
    pub(super) stream: u32,
    pub(super) bytes: u32,
}

/// Finds the frame headers in a stream of bytes.
#[derive(Clone, Debug)]
pub(super) struct Frames {
    /// Bytes to skip before the next header: of a payload, or of the preface.
    skip: u32,
    head: [u8; HEAD_BYTES],
    held: u8,
    /// The header of a padded DATA frame, whose first payload byte is the length of the padding.
    padded: Option<u32>,
    last: Head,
    /// State of the SETTINGS payload that is being skipped.
    settings: Settings,
    violation: Option<Violation>,
}

impl Frames {
    pub(super) fn new() -> Self {
        let settings = Settings::default();
        Self {
            skip: PREFACE_BYTES,
            head: [0; HEAD_BYTES],
            held: 0,
            padded: None,
            last: Head::default(),
            settings,
            violation: None,
        }
    }

    /// The next frame; removes the consumed bytes from the front of `bytes`. `None`: all bytes are consumed.
    pub(super) fn next(&mut self, bytes: &mut &[u8]) -> Option<Frame> {
        loop {
            if let Some(payload_bytes) = self.padded {
                let (&padding, rest) = bytes.split_first()?;
                (*bytes, self.padded) = (rest, None);
                self.skip = payload_bytes - 1;
                return Some(Frame::Data { is_idle: u32::from(padding) + 1 >= payload_bytes });
            }
            let skipped = bytes.len().min(self.skip as usize);
            if self.last.kind == SETTINGS
                && let Err(violation) = self.settings.read(&bytes[..skipped])
            {
                self.violation = Some(violation);
            }
            *bytes = &bytes[skipped..];
            self.skip -= u32::try_from(skipped).unwrap_or(self.skip);
            if self.skip > 0 || !self.hold_head(bytes) {
                return None;
            }
            if let Some(frame) = self.read_head() {
                return Some(frame);
            }
        }
    }

    /// The header of the last frame that was found.
    pub(super) fn head(&self) -> Head {
        self.last
    }

    /// The error found within a payload.
    pub(super) fn violation(&self) -> Option<Violation> {
        self.violation
    }

    /// Takes bytes of a header; `true` once it is complete.
    fn hold_head(&mut self, bytes: &mut &[u8]) -> bool {
        let held = usize::from(self.held);
        let count = bytes.len().min(HEAD_BYTES - held);
        self.head[held..held + count].copy_from_slice(&bytes[..count]);
        *bytes = &bytes[count..];
        self.held += u8::try_from(count).unwrap_or(0);
        usize::from(self.held) == HEAD_BYTES
    }

    /// `None`: the kind depends on the payload.
    fn read_head(&mut self) -> Option<Frame> {
        let [a, b, c, kind, flags, stream @ ..] = self.head;
        let bytes = u32::from_be_bytes([0, a, b, c]);
        self.held = 0;
        self.skip = bytes;
        let stream_number = u32::from_be_bytes(stream) & STREAM_MASK;
        self.last = Head { kind, flags, stream: stream_number, bytes };
        self.settings = Settings::default();
        Some(match kind {
            DATA if flags & END_STREAM != 0 => Frame::Data { is_idle: false },
            DATA if flags & PADDED != 0 && bytes > 0 => {
                self.padded = Some(bytes);
                return None;
            }
            DATA => Frame::Data { is_idle: bytes == 0 },
            HEADERS => Frame::Headers { stream: stream_number, bytes },
            CONTINUATION => Frame::Continuation { bytes },
            PRIORITY | PRIORITY_UPDATE => Frame::Priority,
            RST_STREAM => Frame::Reset,
            SETTINGS => Frame::Settings,
            PING => Frame::Ping,
            WINDOW_UPDATE => Frame::WindowUpdate,
            _ => Frame::Other,
        })
    }
}

/// `PRI * HTTP/2.0…` (RFC 9113 §3.4). The HTTP/2 crate checks its content.
const PREFACE_BYTES: u32 = 24;
const HEAD_BYTES: usize = 9;
const STREAM_MASK: u32 = 0x7fff_ffff;

pub(super) const DATA: u8 = 0;
pub(super) const HEADERS: u8 = 1;
pub(super) const PRIORITY: u8 = 2;
pub(super) const RST_STREAM: u8 = 3;
pub(super) const SETTINGS: u8 = 4;
pub(super) const PUSH_PROMISE: u8 = 5;
pub(super) const PING: u8 = 6;
pub(super) const WINDOW_UPDATE: u8 = 8;
pub(super) const CONTINUATION: u8 = 9;
/// RFC 9218 §7.1.
const PRIORITY_UPDATE: u8 = 16;

pub(super) const END_STREAM: u8 = 1;
const PADDED: u8 = 8;
