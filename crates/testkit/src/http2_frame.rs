//! HTTP/2 frames (RFC 9113 §4, §6). They are implemented here again, so that the product is not tested against
//! itself.

/// One frame, valid or not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Http2Frame {
    pub kind: u8,
    pub flags: u8,
    pub stream: u32,
    pub payload: Vec<u8>,
}

impl Http2Frame {
    pub const DATA: u8 = 0;
    pub const HEADERS: u8 = 1;
    pub const PRIORITY: u8 = 2;
    pub const RST_STREAM: u8 = 3;
    pub const SETTINGS: u8 = 4;
    pub const PING: u8 = 6;
    pub const GOAWAY: u8 = 7;
    pub const WINDOW_UPDATE: u8 = 8;
    pub const CONTINUATION: u8 = 9;

    pub const END_STREAM: u8 = 0x1;
    pub const ACK: u8 = 0x1;
    pub const END_HEADERS: u8 = 0x4;

    pub fn new(kind: u8, flags: u8, stream: u32, payload: impl Into<Vec<u8>>) -> Self {
        Self { kind, flags, stream, payload: payload.into() }
    }

    /// SETTINGS with these identifiers and values: 1 table size, 3 streams, 4 window, 5 frame size, 6 list
    /// size, 8 extended CONNECT.
    pub fn settings(values: &[(u16, u32)]) -> Self {
        let payload: Vec<u8> = values
            .iter()
            .flat_map(|(name, value)| {
                name.to_be_bytes().into_iter().chain(value.to_be_bytes()).collect::<Vec<_>>()
            })
            .collect();
        Self::new(Self::SETTINGS, 0, 0, payload)
    }

    pub fn settings_ack() -> Self {
        Self::new(Self::SETTINGS, Self::ACK, 0, [])
    }

    /// HEADERS with a whole block and END_STREAM.
    pub fn request(stream: u32, block: impl Into<Vec<u8>>) -> Self {
        Self::new(Self::HEADERS, Self::END_HEADERS | Self::END_STREAM, stream, block)
    }

    /// HEADERS with a whole block; a body follows.
    pub fn headers(stream: u32, block: impl Into<Vec<u8>>) -> Self {
        Self::new(Self::HEADERS, Self::END_HEADERS, stream, block)
    }

    pub fn continuation(stream: u32, block: impl Into<Vec<u8>>) -> Self {
        Self::new(Self::CONTINUATION, 0, stream, block)
    }

    pub fn data(stream: u32, bytes: impl Into<Vec<u8>>) -> Self {
        Self::new(Self::DATA, 0, stream, bytes)
    }

    pub fn reset(stream: u32, code: u32) -> Self {
        Self::new(Self::RST_STREAM, 0, stream, code.to_be_bytes())
    }

    pub fn ping(bytes: [u8; 8]) -> Self {
        Self::new(Self::PING, 0, 0, bytes)
    }

    pub fn window_update(stream: u32, increment: u32) -> Self {
        Self::new(Self::WINDOW_UPDATE, 0, stream, increment.to_be_bytes())
    }

    pub fn goaway(last: u32, code: u32) -> Self {
        Self::new(Self::GOAWAY, 0, 0, [last.to_be_bytes(), code.to_be_bytes()].concat())
    }

    /// Adds END_STREAM.
    #[must_use]
    pub fn ending(mut self) -> Self {
        self.flags |= Self::END_STREAM;
        self
    }

    /// Replaces the flags.
    #[must_use]
    pub fn flags(mut self, flags: u8) -> Self {
        self.flags = flags;
        self
    }

    pub fn is_ack(&self) -> bool {
        self.flags & Self::ACK != 0
    }

    /// The error code of RST_STREAM or GOAWAY.
    pub fn code(&self) -> Option<u32> {
        let at = match self.kind {
            Self::RST_STREAM => 0,
            Self::GOAWAY => 4,
            _ => return None,
        };
        Some(u32::from_be_bytes(self.payload.get(at..at + 4)?.try_into().ok()?))
    }

    /// The values of SETTINGS.
    pub fn values(&self) -> Vec<(u16, u32)> {
        let pair = |six: &[u8]| {
            (u16::from_be_bytes([six[0], six[1]]), u32::from_be_bytes([six[2], six[3], six[4], six[5]]))
        };
        self.payload.chunks_exact(6).map(pair).collect()
    }

    pub fn bytes(&self) -> Vec<u8> {
        let length = u32::try_from(self.payload.len()).unwrap().to_be_bytes();
        let mut bytes = length[1..].to_vec();
        bytes.extend([self.kind, self.flags]);
        bytes.extend(self.stream.to_be_bytes());
        bytes.extend(&self.payload);
        bytes
    }

    /// Parses a frame header. Returns the payload's length and the frame without its payload.
    pub(crate) fn from_head(head: &[u8]) -> (usize, Self) {
        let length = usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
        let stream = u32::from_be_bytes([head[5] & 0x7F, head[6], head[7], head[8]]);
        (length, Self::new(head[3], head[4], stream, []))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_survives_a_round_trip() {
        let frame = Http2Frame::data(5, b"12345".as_slice()).ending();
        let bytes = frame.bytes();
        assert_eq!(bytes, [&[0, 0, 5, 0, 1, 0, 0, 0, 5], &b"12345"[..]].concat());
        let (length, mut read) = Http2Frame::from_head(&bytes[..9]);
        read.payload = bytes[9..9 + length].to_vec();
        assert_eq!(read, frame);
    }

    #[test]
    fn codes_and_values() {
        assert_eq!(Http2Frame::goaway(3, 11).code(), Some(11));
        assert_eq!(Http2Frame::reset(3, 8).code(), Some(8));
        assert_eq!(Http2Frame::settings(&[(4, 65_535), (8, 1)]).values(), [(4, 65_535), (8, 1)]);
    }
}
