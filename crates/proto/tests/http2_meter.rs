//! Floods of frames, and clients that only resemble one.

#![allow(clippy::unwrap_used, reason = "tests")]

use proptest::prelude::*;
use proto::http2::meter::{Fault, Flood, FrameMeter, Violation};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const PRIORITY: u8 = 2;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;
const PRIORITY_UPDATE: u8 = 16;
const END_STREAM: u8 = 1;
const PADDED: u8 = 8;

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

fn meter() -> FrameMeter {
    let mut meter = FrameMeter::new();
    meter.observe(PREFACE, 0).unwrap();
    meter
}

/// How many of these frames are accepted at one time.
fn taken(frame: &[u8], most: usize) -> (usize, Option<Fault>) {
    let mut meter = meter();
    for count in 0..most {
        if let Err(flood) = meter.observe(frame, 0) {
            return (count, Some(flood));
        }
    }
    (most, None)
}

#[test]
fn each_protocol_violation_has_its_own_word() {
    let ended = frame(HEADERS, 5, 1, &[0; 3]);
    let window = [&[0, 3, 0, 0, 0, 9][..], &[0, 4, 0x80, 0, 0, 0]].concat();
    for (before, wrong, violation) in [
        (&[][..], frame(SETTINGS, 0, 0, &[0; 5]), Violation::FrameSize),
        (&[], frame(SETTINGS, 1, 0, &[0; 6]), Violation::FrameSize),
        (&[], frame(SETTINGS, 0, 0, &window), Violation::Window),
        (&[], frame(PING, 0, 0, &[0; 7]), Violation::FrameSize),
        (&[], frame(RST_STREAM, 0, 1, &[0; 3]), Violation::FrameSize),
        (&[], frame(WINDOW_UPDATE, 0, 0, &[0; 3]), Violation::FrameSize),
        (&[], frame(PRIORITY, 0, 1, &[0; 4]), Violation::FrameSize),
        (&[], frame(5, 4, 1, &[0; 9]), Violation::Push),
        (&ended, frame(DATA, 0, 1, &[0; 3]), Violation::StreamClosed),
        (&ended, frame(HEADERS, 5, 1, &[0; 3]), Violation::StreamClosed),
    ] {
        let mut meter = meter();
        meter.observe(before, 0).unwrap();
        assert_eq!(meter.observe(&wrong, 0), Err(Fault::Broken(violation)), "{wrong:?}");
    }
}

#[test]
fn a_stream_ends_when_the_client_says_so() {
    let mut meter = meter();
    for bytes in [
        frame(HEADERS, 4, 1, &[0; 3]),
        frame(DATA, 0, 1, &[0; 3]),
        frame(HEADERS, 5, 3, &[0; 3]),
        frame(HEADERS, 5, 1, &[0; 3]),
        frame(WINDOW_UPDATE, 0, 1, &[0, 0, 0, 1]),
        frame(HEADERS, 4, 5, &[0; 3]),
        frame(RST_STREAM, 0, 5, &[0; 4]),
    ] {
        meter.observe(&bytes, 0).unwrap();
    }
    let data_on = |stream| meter.clone().observe(&frame(DATA, 1, stream, &[0; 3]), 0);
    for stream in [1, 3, 5] {
        assert_eq!(data_on(stream), Err(Fault::Broken(Violation::StreamClosed)), "{stream}");
    }
    assert_eq!(data_on(7), Ok(()), "a stream that never began is another error");
}

#[test]
fn every_kind_of_flood_ends() {
    let padding_only = frame(DATA, PADDED, 1, &[3, 0, 0, 0]);
    for (frame, most, flood) in [
        (frame(RST_STREAM, 0, 1, &[0; 4]), 150, Flood::Reset),
        (frame(SETTINGS, 0, 0, &[]), 20, Flood::Settings),
        (frame(SETTINGS, 0, 0, &[0; 6]), 20, Flood::Settings),
        (frame(SETTINGS, 1, 0, &[]), 20, Flood::Settings),
        (frame(PING, 0, 0, &[0; 8]), 250, Flood::Ping),
        (frame(DATA, 0, 1, &[]), 100, Flood::EmptyData),
        (frame(DATA, PADDED, 1, &[0]), 100, Flood::EmptyData),
        (padding_only, 100, Flood::EmptyData),
        (frame(PRIORITY, 0, 1, &[0; 5]), 200, Flood::Priority),
        (frame(PRIORITY_UPDATE, 0, 0, &[0; 5]), 200, Flood::Priority),
        (frame(WINDOW_UPDATE, 0, 0, &[0, 0, 0, 1]), 1000, Flood::WindowUpdate),
        (frame(GOAWAY, 0, 0, &[0; 8]), 100, Flood::Other),
        (frame(0xbb, 0, 0, &[0; 100]), 100, Flood::Other),
        (frame(CONTINUATION, 0, 1, &[]), 16, Flood::Continuation),
        (frame(CONTINUATION, 0, 1, &[0; 40_000]), 6, Flood::HeadBytes),
        (frame(HEADERS, 0, 1, &vec![0; 300_000]), 0, Flood::HeadBytes),
    ] {
        assert_eq!(taken(&frame, 10_000), (most, Some(Fault::Flood(flood))));
    }
}

#[test]
fn frames_with_content_are_not_counted() {
    for frame in [
        frame(DATA, 0, 1, b"x"),
        frame(DATA, PADDED, 1, &[1, b'x', 0]),
        frame(DATA, END_STREAM, 1, &[]),
        frame(DATA, END_STREAM | PADDED, 1, &[0]),
        frame(HEADERS, 4, 1, &[0; 50]),
    ] {
        assert_eq!(taken(&frame, 100_000), (100_000, None));
    }
}

#[test]
fn rapid_reset_ends_the_connection_at_any_rate() {
    for per_second in [30, 100, 1000, 100_000] {
        let mut meter = meter();
        let flood = (0..100_000_u64).find_map(|count| {
            let stream = u32::try_from(2 * count + 1).unwrap();
            let bytes = [frame(HEADERS, 5, stream, &[0; 30]), frame(RST_STREAM, 0, stream, &[0; 4])].concat();
            meter.observe(&bytes, count * 1000 / per_second).err()
        });
        assert_eq!(flood, Some(Fault::Flood(Flood::Reset)), "{per_second}");
    }
}

/// The numbers are resets at one time: by the client, and then those that the client caused us to make.
#[test]
fn resets_that_the_client_causes_count_as_its_own() {
    for (resets, answers, made) in
        [(0, 0, 150), (100, 0, 50), (149, 0, 1), (150, 0, 0), (150, 20, 20), (0, 20, 150)]
    {
        let mut meter = meter();
        meter.observe(&frame(RST_STREAM, 0, 1, &[0; 4]).repeat(resets), 0).unwrap();
        (0..answers).for_each(|_| meter.answered());
        assert!((0..made).all(|_| meter.made_reset(0).is_ok()), "{resets} {answers}");
        assert_eq!(meter.made_reset(0), Err(Fault::Flood(Flood::Reset)), "{resets} {answers}");
        assert_eq!(meter.made_reset(1000), Ok(()), "the budget refills every second");
    }
}

#[test]
fn an_answer_to_a_ping_gives_no_credit_for_the_next() {
    let mut meter = meter();
    let ping = frame(PING, 0, 0, &[0; 8]);
    let pings = (0..10_000).find(|_| {
        meter.wrote(17);
        meter.observe(&ping, 0).is_err()
    });
    assert!(pings.is_some_and(|pings| pings < 1000), "{pings:?}");
}

/// A browser that leaves a page of a hundred pictures every five seconds.
#[test]
fn a_browser_that_leaves_pages_stays_connected() {
    let mut meter = meter();
    let mut stream = 1;
    for page in 0..200_u64 {
        for _ in 0..100 {
            let bytes = [
                frame(HEADERS, 0x25, stream, &[0; 60]),
                frame(WINDOW_UPDATE, 0, stream, &[0, 0, 0, 1]),
                frame(PRIORITY_UPDATE, 0, 0, &[0; 8]),
                frame(0x0a, 0, stream, &[0; 3]),
            ];
            meter.observe(&bytes.concat(), page * 5000).unwrap();
            meter.observe(&frame(RST_STREAM, 0, stream, &[0; 4]), page * 5000).unwrap();
            stream += 2;
        }
    }
}

/// `grpc-go` measures the path with a PING for each answer; some clients reset every finished stream.
#[test]
fn pings_and_resets_after_answers_are_accepted() {
    let mut meter = meter();
    for count in 0..50_000_u32 {
        meter.observe(&frame(HEADERS, 5, 2 * count + 1, &[0; 30]), 0).unwrap();
        meter.wrote(60);
        meter.answered();
        let behind = [frame(PING, 0, 0, &[0; 8]), frame(RST_STREAM, 0, 2 * count + 1, &[0; 4])].concat();
        meter.observe(&behind, 0).unwrap();
    }
}

/// A slow reader of single bytes, which opens both windows for each byte.
#[test]
fn window_updates_for_sent_bytes_are_accepted() {
    let mut meter = meter();
    for _ in 0..50_000 {
        meter.wrote(10);
        let both = [frame(WINDOW_UPDATE, 0, 0, &[0, 0, 0, 1]), frame(WINDOW_UPDATE, 0, 1, &[0, 0, 0, 1])];
        meter.observe(&both.concat(), 0).unwrap();
    }
}

#[test]
fn a_keepalive_ping_is_accepted_for_days() {
    let mut meter = meter();
    for count in 0..100_000 {
        meter.observe(&frame(PING, 0, 0, &[0; 8]), count * 10_000).unwrap();
    }
}

#[test]
fn every_flood_has_a_word() {
    for (place, flood) in Flood::ALL.iter().enumerate() {
        assert!(Flood::ALL[place + 1..].iter().all(|other| other.reason() != flood.reason()));
    }
}

/// Frames of all kinds, including ones that are too long or truncated.
fn frames() -> impl Strategy<Value = Vec<u8>> {
    let one = (0u8..18, any::<u8>(), 0u32..40, proptest::collection::vec(any::<u8>(), 0..40))
        .prop_map(|(kind, flags, stream, payload)| frame(kind, flags, stream, &payload));
    let many = (one, 1usize..150).prop_map(|(frame, count)| frame.repeat(count));
    proptest::collection::vec(many, 0..12).prop_map(|frames| frames.concat())
}

/// How far the bytes were read when the verdict falls does not matter, only that there is one and which.
fn verdict(bytes: &[u8], cuts: &[usize]) -> Option<Fault> {
    let mut meter = meter();
    let mut rest = bytes;
    for cut in cuts.iter().cycle() {
        if rest.is_empty() {
            return None;
        }
        let (piece, left) = rest.split_at(rest.len().min(*cut));
        if let Err(flood) = meter.observe(piece, 7) {
            return Some(flood);
        }
        rest = left;
    }
    None
}

proptest! {
    #[test]
    fn cutting_changes_no_verdict(bytes in frames(), cuts in proptest::collection::vec(1usize..60, 1..8)) {
        let whole = verdict(&bytes, &[usize::MAX]);
        prop_assert_eq!(verdict(&bytes, &cuts), whole);
        prop_assert_eq!(verdict(&bytes, &[1]), whole);
    }

    #[test]
    fn any_bytes_may_come(bytes in proptest::collection::vec(any::<u8>(), 0..2000), now: u64) {
        let mut meter = FrameMeter::new();
        for byte in &bytes {
            let _ = meter.observe(std::slice::from_ref(byte), now);
            meter.wrote(usize::MAX / 2);
        }
    }
}
