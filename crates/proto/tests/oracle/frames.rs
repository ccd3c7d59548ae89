//! Invariants of WebSocket framing for the bytes of one direction, for any input.

use proto::websocket::{ControlFrame, FrameKind, Frames, Sender, Step};

/// The frames and their ends are the same for any split of the bytes, and equal to those found by reading the whole; a
/// frame of ours at any frame boundary changes nothing else.
pub(crate) fn frames(bytes: &[u8]) {
    for sender in [Sender::Client, Sender::Server] {
        let whole = read(bytes, sender);
        assert_eq!(follow(&[bytes], sender), whole);
        super::for_every_cut(bytes, |pieces| assert_eq!(follow(pieces, sender), whole));
        for &(_, end) in &whole.frames {
            let mask = (sender == Sender::Client).then_some([1, 2, 3, 4]);
            let ours = ControlFrame::ping(mask);
            let (before, after) = bytes.split_at(end);
            let with = follow(&[before, ours.bytes(), after], sender);
            assert_eq!((with.frames.len(), with.end), (whole.frames.len() + 1, whole.end));
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Read {
    /// With the offset after each.
    frames: Vec<(FrameKind, usize)>,
    end: End,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Between,
    Within,
    Lost,
}

fn follow(pieces: &[&[u8]], sender: Sender) -> Read {
    let (mut follower, mut read, mut place) =
        (Frames::new(sender), Read { frames: Vec::new(), end: End::Between }, 0);
    for piece in pieces {
        let mut rest = *piece;
        loop {
            match follower.step(rest) {
                Step::Frame { kind, bytes } => {
                    place += bytes;
                    rest = &rest[bytes..];
                    read.frames.push((kind, place));
                    assert!(follower.is_between());
                }
                Step::Within => {
                    place += rest.len();
                    break;
                }
                Step::Lost => {
                    read.end = End::Lost;
                    assert!(follower.is_lost() && !follower.is_between());
                    return read;
                }
            }
        }
    }
    read.end = if follower.is_between() { End::Between } else { End::Within };
    read
}

/// Frame by frame, after the figure in RFC 6455 §5.2.
fn read(bytes: &[u8], sender: Sender) -> Read {
    let (mut frames, mut at) = (Vec::new(), 0);
    let end = loop {
        let rest = &bytes[at..];
        let Some(&first) = rest.first() else { break End::Between };
        let kind = match first & 15 {
            0 => FrameKind::Continuation,
            1 => FrameKind::Text,
            2 => FrameKind::Binary,
            8 => FrameKind::Close,
            9 => FrameKind::Ping,
            10 => FrameKind::Pong,
            _ => break End::Lost,
        };
        let Some(&second) = rest.get(1) else { break End::Within };
        let (masked, short) = (second >= 128, second % 128);
        if masked != (sender == Sender::Client) || (first & 8 != 0 && (first < 128 || short > 125)) {
            break End::Lost;
        }
        let more = match short {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        let Some(extended) = rest.get(2..2 + more) else { break End::Within };
        let length = extended.iter().fold(0_u128, |sum, byte| sum * 256 + u128::from(*byte));
        let length = if more == 0 { u128::from(short) } else { length };
        if length >= 1 << 63 {
            break End::Lost;
        }
        let total = 2 + more as u128 + if masked { 4 } else { 0 } + length;
        if total > rest.len() as u128 {
            break End::Within;
        }
        at += total as usize;
        frames.push((kind, at));
    };
    Read { frames, end }
}
