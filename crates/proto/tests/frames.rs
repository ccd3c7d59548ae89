//! WebSocket frames, rule by rule of RFC 6455 §5.

#![allow(clippy::unwrap_used, reason = "tests")]

use proto::websocket::{ControlFrame, FrameKind, Frames, Sender, Step};

/// The kinds of the frames that end in `bytes`, and the state after them.
fn follow(sender: Sender, bytes: &[u8]) -> (Vec<FrameKind>, Frames) {
    let (mut frames, mut kinds, mut rest) = (Frames::new(sender), Vec::new(), bytes);
    while let Step::Frame { kind, bytes } = frames.step(rest) {
        kinds.push(kind);
        rest = &rest[bytes..];
    }
    (kinds, frames)
}

#[test]
fn the_examples_of_the_rfc_are_frames() {
    // RFC 6455 §5.7.
    for (sender, bytes, kinds) in [
        (Sender::Server, &[0x81, 5, 0x48, 0x65, 0x6c, 0x6c, 0x6f][..], &[FrameKind::Text][..]),
        (
            Sender::Client,
            &[0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58],
            &[FrameKind::Text],
        ),
        (
            Sender::Server,
            &[0x01, 3, 0x48, 0x65, 0x6c, 0x80, 2, 0x6c, 0x6f],
            &[FrameKind::Text, FrameKind::Continuation],
        ),
        (Sender::Server, &[0x89, 5, 0x48, 0x65, 0x6c, 0x6c, 0x6f], &[FrameKind::Ping]),
        (
            Sender::Client,
            &[0x8a, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58],
            &[FrameKind::Pong],
        ),
    ] {
        let (found, frames) = follow(sender, bytes);
        assert_eq!(found, kinds);
        assert!(frames.is_between() && !frames.is_lost());
        let (_, frames) = follow(sender, &bytes[..bytes.len() - 1]);
        assert!(!frames.is_between() && !frames.is_lost());
    }
    for (head, length) in [(&[0x82, 0x7e, 1, 0][..], 256), (&[0x82, 0x7f, 0, 0, 0, 0, 0, 1, 0, 0], 65_536)] {
        let (found, frames) = follow(Sender::Server, &[head, &vec![0; length]].concat());
        assert_eq!((found.as_slice(), frames.is_between()), (&[FrameKind::Binary][..], true));
    }
}

#[test]
fn frames_that_the_rfc_forbids_end_the_tracking() {
    for (sender, bytes, why) in [
        (Sender::Server, &[0x83][..], "a reserved opcode"),
        (Sender::Server, &[0x0b], "a reserved control opcode"),
        (Sender::Client, &[0x81, 5], "a client that does not mask"),
        (Sender::Server, &[0x81, 0x85], "a server that masks"),
        (Sender::Server, &[0x89, 126], "a long control frame"),
        (Sender::Server, &[0x08, 2], "a fragmented control frame"),
        (Sender::Server, &[0x82, 127, 0x80, 0, 0, 0, 0, 0, 0, 0], "a length of 64 bits"),
    ] {
        let (found, mut frames) = follow(sender, bytes);
        assert!(found.is_empty() && frames.is_lost() && !frames.is_between(), "{why}");
        assert_eq!(frames.step(&[0x81, 0]), Step::Lost, "{why}: the state is final");
        let (_, before) = follow(sender, &bytes[..bytes.len() - 1]);
        assert!(!before.is_lost(), "{why}: only once the invalid byte has arrived");
    }
    // Reserved bits, a length that is not minimal, and the maximum length are accepted.
    for bytes in [&[0xf1, 0][..], &[0x82, 126, 0, 0], &[0x82, 127, 0x7f, 255, 255, 255, 255, 255, 255, 255]] {
        assert!(!follow(Sender::Server, bytes).1.is_lost());
    }
}

#[test]
fn our_frames_match_the_rfc() {
    assert_eq!(ControlFrame::ping(None).bytes(), b"\x89\x08evenkeel");
    assert_eq!(ControlFrame::close(1001, None).bytes(), [0x88, 2, 0x03, 0xe9]);
    let key = [0x37, 0xfa, 0x21, 0x3d];
    assert_eq!(
        ControlFrame::close(1001, Some(key)).bytes(),
        [0x88, 0x82, 0x37, 0xfa, 0x21, 0x3d, 0x34, 0x13]
    );
    let masked = ControlFrame::ping(Some(key));
    let payload: Vec<u8> = masked.bytes()[6..].iter().zip(key.iter().cycle()).map(|(b, k)| b ^ k).collect();
    assert_eq!((&masked.bytes()[..2], payload.as_slice()), (&[0x89, 0x88][..], &b"evenkeel"[..]));
}

#[test]
fn the_state_is_small() {
    assert!(size_of::<Frames>() <= 32, "{}", size_of::<Frames>());
}
