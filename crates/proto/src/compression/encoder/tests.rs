//! Tests of the encoders, against independent decoders where they exist.

use std::io::{Cursor, Read};

use model::ContentCoding::{self, Br, Gzip, Zstd};
use proptest::prelude::*;

use super::*;

/// Decodes with decoders that share no code with the encoder; those of gzip and zstd are from other projects.
fn decoded(coding: ContentCoding, bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut out = Vec::new();
    match coding {
        Gzip => {
            // Head and check sum.
            flate2::read::GzDecoder::new(bytes).read_to_end(&mut out)?;
            let deflated = &bytes[10..bytes.len() - 8];
            assert!(miniz_oxide::inflate::decompress_to_vec(deflated).unwrap() == out);
            out.len()
        }
        Br => brotli::Decompressor::new(bytes, 4096).read_to_end(&mut out)?,
        Zstd => ruzstd::decoding::StreamingDecoder::new(Cursor::new(bytes))
            .map_err(|error| std::io::Error::other(error.to_string()))?
            .read_to_end(&mut out)?,
    };
    Ok(out)
}

/// Runs an operation to its end with `room` bytes of output at a time.
fn run(encoder: &mut Encoder, op: Op, mut input: &[u8], room: usize, out: &mut Vec<u8>) {
    let mut buffer = vec![0; room];
    for _ in 0..1_000_000 {
        let step = encoder.step(op, input, &mut buffer).unwrap();
        out.extend_from_slice(&buffer[..step.written]);
        input = &input[step.read..];
        if step.is_done {
            return;
        }
    }
    panic!("{op:?} of {encoder:?} does not end with {room} bytes of room");
}

fn text(length: usize) -> Vec<u8> {
    (0..)
        .flat_map(|n: u32| format!("line {} of {}\n", n, n.wrapping_mul(2_654_435_761)).into_bytes())
        .take(length)
        .collect()
}

/// Bytes that no encoder can compress.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 1_u64;
    let next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    std::iter::repeat_with(next).take(length).collect()
}

#[test]
fn long_streams_round_trip_at_every_level() {
    for coding in ContentCoding::ALL {
        for level in 1..=6 {
            for data in [text(400_000), noise(400_000), vec![0; 400_000]] {
                let mut encoder = Encoder::new(coding, level, None).unwrap();
                let mut out = Vec::new();
                for piece in data.chunks(16 * 1024) {
                    run(&mut encoder, Op::Push, piece, 16 * 1024, &mut out);
                }
                run(&mut encoder, Op::Finish, b"", 16 * 1024, &mut out);
                assert!(decoded(coding, &out).unwrap() == data, "{coding:?} {level}");
                // Incompressible input grows little: gzip's first level adds one bit per byte at most.
                assert!(out.len() < data.len() + data.len() / 16, "{coding:?} {level}: {}", out.len());
            }
        }
    }
}

#[test]
fn flushed_output_can_be_decoded() {
    for coding in ContentCoding::ALL {
        let mut encoder = Encoder::new(coding, 2, None).unwrap();
        let mut out = Vec::new();
        run(&mut encoder, Op::Flush, b"", 64, &mut out);
        for event in ["data: one\n\n", "data: two\n\n"] {
            let before = out.len();
            run(&mut encoder, Op::Push, event.as_bytes(), 64, &mut out);
            run(&mut encoder, Op::Flush, b"", 64, &mut out);
            assert!(out.len() > before, "{coding:?}");
            let so_far = readable(coding, &out);
            assert!(so_far.ends_with(event.as_bytes()), "{coding:?}: {so_far:?}");
        }
    }
}

#[test]
fn output_of_any_size_makes_progress_or_is_left_untouched() {
    for coding in ContentCoding::ALL {
        for room in Encoder::ROOM_MIN..100 {
            let mut encoder = Encoder::new(coding, 2, None).unwrap();
            let (data, mut out) = (text(300), Vec::new());
            for piece in data.chunks(room) {
                run(&mut encoder, Op::Flush, piece, room, &mut out);
            }
            run(&mut encoder, Op::Finish, b"", room, &mut out);
            assert_eq!(decoded(coding, &out).unwrap(), data, "{coding:?} {room}");
        }
        let mut encoder = Encoder::new(coding, 2, None).unwrap();
        let step = encoder.step(Op::Finish, b"x", &mut [0; Encoder::ROOM_MIN - 1]).unwrap();
        assert_eq!(step, Step { read: 0, written: 0, is_done: false });
    }
}

/// Decodes the beginning of a stream.
fn readable(coding: ContentCoding, bytes: &[u8]) -> Vec<u8> {
    let mut out = vec![0; 4096];
    let mut reader: Box<dyn Read + '_> = match coding {
        Gzip => Box::new(flate2::read::GzDecoder::new(bytes)),
        Br => Box::new(brotli::Decompressor::new(bytes, 4096)),
        Zstd => {
            let mut context = zstd_safe::DCtx::create();
            let mut to = OutBuffer::around(out.as_mut_slice());
            context.decompress_stream(&mut to, &mut InBuffer::around(bytes)).unwrap();
            let count = to.pos();
            out.truncate(count);
            return out;
        }
    };
    let mut count = 0;
    while let Ok(more @ 1..) = reader.read(&mut out[count..]) {
        count += more;
    }
    out.truncate(count);
    out
}

#[test]
fn a_truncated_stream_is_detected() {
    for coding in ContentCoding::ALL {
        let mut encoder = Encoder::new(coding, 2, None).unwrap();
        let mut out = Vec::new();
        run(&mut encoder, Op::Push, &text(50_000), 4096, &mut out);
        run(&mut encoder, Op::Flush, b"", 4096, &mut out);
        assert!(decoded(coding, &out).is_err(), "{coding:?}");
    }
}

#[test]
fn an_announced_length_must_be_kept() {
    let mut out = [0; 4096];
    let mut encoder = Encoder::new(Zstd, 2, Some(10)).unwrap();
    encoder.step(Op::Push, b"one short", &mut out).unwrap();
    assert!(encoder.step(Op::Finish, b"", &mut out).is_err());
    for coding in [Br, Gzip] {
        let mut encoder = Encoder::new(coding, 2, Some(9)).unwrap();
        let step = encoder.step(Op::Finish, b"one short", &mut out).unwrap();
        assert_eq!(decoded(coding, &out[..step.written]).unwrap(), b"one short");
    }
}

#[test]
fn zstd_stays_within_its_memory_bound() {
    for level in 1..=9 {
        let mut encoder = Encoder::new(Zstd, level, None).unwrap();
        run(&mut encoder, Op::Push, &noise(1_000_000), 16 * 1024, &mut Vec::new());
        let Kind::Zstd(context) = &encoder.kind else { unreachable!() };
        assert!(context.sizeof() <= Encoder::state_bytes_max(Zstd, level), "{level}: {}", context.sizeof());
    }
}

fn ops() -> impl Strategy<Value = Vec<(Vec<u8>, bool)>> {
    let piece = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..50),
        prop::collection::vec(Just(b'a'), 0..2000),
        (0usize..3000).prop_map(text),
    ];
    prop::collection::vec((piece, any::<bool>()), 0..12)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_cutting_comes_back(ops in ops(), room in Encoder::ROOM_MIN..300, coding in 0usize..3, level in 1u8..=6) {
        let coding = ContentCoding::ALL[coding];
        let mut encoder = Encoder::new(coding, level, None).unwrap();
        let (mut data, mut out) = (Vec::new(), Vec::new());
        for (piece, flush) in &ops {
            data.extend_from_slice(piece);
            run(&mut encoder, if *flush { Op::Flush } else { Op::Push }, piece, room, &mut out);
        }
        run(&mut encoder, Op::Finish, b"", room, &mut out);
        prop_assert_eq!(decoded(coding, &out).unwrap(), data);
    }
}
