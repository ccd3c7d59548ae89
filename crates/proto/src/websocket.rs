//! WebSocket framing (RFC 6455 §5.2), as far as a relay needs it: it finds the ends of frames, so that the relay can
//! insert a control frame between two of them. Nothing is unmasked, and payloads are not looked at.

/// The kinds of frames (RFC 6455 §5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameKind {
    Continuation,
    Text,
    Binary,
    Close,
    Ping,
    Pong,
}

/// The result of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// A frame ended after so many bytes.
    Frame { kind: FrameKind, bytes: usize },
    /// All bytes belong to an unfinished frame, or there were none.
    Within,
    /// RFC 6455 does not allow these bytes in this direction. The ends of frames are unknown from here on.
    Lost,
}

/// The sender of the frames: a client masks them and a server does not (RFC 6455 §5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sender {
    Client,
    Server,
}

/// Follows the frames of one direction, at any split of the bytes.
#[derive(Clone, Debug)]
pub struct Frames {
    sender: Sender,
    state: State,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// The first bytes of a frame.
    Header {
        bytes: [u8; 10],
        len: u8,
    },
    /// Bytes of mask and payload that are still to come.
    Rest {
        kind: FrameKind,
        left: u64,
    },
    Lost,
}

impl Frames {
    pub fn new(sender: Sender) -> Self {
        Self { sender, state: BETWEEN }
    }

    /// Whether the stream is at a frame boundary: a control frame may be inserted here, also within a fragmented
    /// message (RFC 6455 §5.4).
    pub fn is_between(&self) -> bool {
        matches!(self.state, State::Header { len: 0, .. })
    }

    pub fn is_lost(&self) -> bool {
        matches!(self.state, State::Lost)
    }

    /// Reads `bytes` up to the first end of a frame, or to their end. Bytes after a [`Step::Frame`] are not looked at.
    pub fn step(&mut self, bytes: &[u8]) -> Step {
        let mut taken = 0;
        loop {
            match self.state {
                State::Lost => return Step::Lost,
                State::Rest { kind, left } => {
                    let here = bytes.len() - taken;
                    let of_frame = usize::try_from(left).map_or(here, |left| left.min(here));
                    if of_frame as u64 == left {
                        self.state = BETWEEN;
                        return Step::Frame { kind, bytes: taken + of_frame };
                    }
                    self.state = State::Rest { kind, left: left - of_frame as u64 };
                    return Step::Within;
                }
                State::Header { bytes: mut header, len } => {
                    let Some(&byte) = bytes.get(taken) else { return Step::Within };
                    taken += 1;
                    header[usize::from(len)] = byte;
                    self.state = after(self.sender, header, len + 1);
                }
            }
        }
    }
}

/// The state after the first `len` bytes of a frame; `len` is at least 1.
fn after(sender: Sender, header: [u8; 10], len: u8) -> State {
    let Some(kind) = kind(header[0]) else { return State::Lost };
    if len < 2 {
        return State::Header { bytes: header, len };
    }
    let is_masked = header[1] & MASKED != 0;
    let is_control = matches!(kind, FrameKind::Close | FrameKind::Ping | FrameKind::Pong);
    let is_whole = header[0] & FINAL != 0 && header[1] & LENGTH <= CONTROL_BYTES_MAX;
    if is_masked != (sender == Sender::Client) || (is_control && !is_whole) {
        return State::Lost;
    }
    let (wanted, payload) = match header[1] & LENGTH {
        126 => (4, u64::from(u16::from_be_bytes([header[2], header[3]]))),
        127 => {
            let [_, _, length @ ..] = header;
            (10, u64::from_be_bytes(length))
        }
        short => (2, u64::from(short)),
    };
    if len < wanted {
        return State::Header { bytes: header, len };
    }
    // RFC 6455 §5.2: the most significant bit is 0.
    if payload > i64::MAX.cast_unsigned() {
        return State::Lost;
    }
    State::Rest { kind, left: payload + if is_masked { MASK_BYTES } else { 0 } }
}

/// The reserved bits belong to extensions of the two ends: `permessage-deflate` sets one.
fn kind(first: u8) -> Option<FrameKind> {
    Some(match first & OPCODE {
        0x0 => FrameKind::Continuation,
        0x1 => FrameKind::Text,
        0x2 => FrameKind::Binary,
        0x8 => FrameKind::Close,
        0x9 => FrameKind::Ping,
        0xA => FrameKind::Pong,
        _ => return None,
    })
}

/// A control frame of ours, ready to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ControlFrame {
    bytes: [u8; 6 + OWN_PAYLOAD_MAX],
    len: u8,
}

impl ControlFrame {
    /// `mask` is for frames to a server (RFC 6455 §5.3).
    pub fn ping(mask: Option<[u8; 4]>) -> Self {
        Self::new(0x9, PING_PAYLOAD, mask)
    }

    /// A Close with a status and no reason (RFC 6455 §5.5.1).
    pub fn close(code: u16, mask: Option<[u8; 4]>) -> Self {
        Self::new(0x8, &code.to_be_bytes(), mask)
    }

    pub fn bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }

    fn new(opcode: u8, payload: &[u8], mask: Option<[u8; 4]>) -> Self {
        let mut frame = Self { bytes: [0; 6 + OWN_PAYLOAD_MAX], len: 0 };
        let is_masked = if mask.is_some() { MASKED } else { 0 };
        frame.push(FINAL | opcode);
        // Our payloads are short.
        frame.push(is_masked | payload.len() as u8);
        mask.into_iter().flatten().for_each(|byte| frame.push(byte));
        let key = mask.unwrap_or_default();
        payload.iter().zip(key.iter().cycle()).for_each(|(byte, key)| frame.push(byte ^ key));
        frame
    }

    fn push(&mut self, byte: u8) {
        if let Some(place) = self.bytes.get_mut(usize::from(self.len)) {
            *place = byte;
            self.len += 1;
        }
    }
}

const BETWEEN: State = State::Header { bytes: [0; 10], len: 0 };
const FINAL: u8 = 0x80;
const OPCODE: u8 = 0x0F;
const MASKED: u8 = 0x80;
const LENGTH: u8 = 0x7F;
const MASK_BYTES: u64 = 4;
/// RFC 6455 §5.5.
const CONTROL_BYTES_MAX: u8 = 125;
/// Not empty, so that its Pong is not taken for the answer to an empty Ping of the target.
const PING_PAYLOAD: &[u8] = b"evenkeel";
const OWN_PAYLOAD_MAX: usize = PING_PAYLOAD.len();
