//! Properties of the parser of memcached's protocol.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use bytes::BytesMut;
use proptest::prelude::*;
use proto::memcached::{Command, Parser, Step};

mod oracle;

use oracle::memcached_steps as steps;

fn piece() -> impl Strategy<Value = Vec<u8>> {
    let words: &[&[u8]] = &[
        b"get ",
        b"set ",
        b"cas ",
        b"incr ",
        b"a ",
        b"k ",
        b"0 ",
        b"1 ",
        b"5 ",
        b"-1 ",
        b"noreply",
        b"\r\n",
        b"\n",
        b"x\r\n",
        b"12345\r\n",
        b"\x80\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00k",
        b"\x80\x0a",
        b"\0\0\0\0",
        b"ms k 2\r\n",
        b"ms k 5 ",
        b"mg k ",
        b"md k ",
        b"ma k ",
        b"me k ",
        b"q O1 k v ",
        b"T5 C1 ",
        b"b ",
        b"Zm9v ",
        b"MA J7 N0 D5 ",
    ];
    let words: Vec<Vec<u8>> = words.iter().map(|word| word.to_vec()).collect();
    prop_oneof![8 => proptest::sample::select(words), 1 => proptest::collection::vec(any::<u8>(), 0..30)]
}

proptest! {
    #[test]
    fn how_input_is_split_changes_nothing(pieces in proptest::collection::vec(piece(), 0..40), size in 1_usize..50) {
        let input = pieces.concat();
        prop_assert_eq!(steps(&input, input.len()), steps(&input, size));
    }
}

#[test]
fn a_line_without_end_is_not_collected() {
    assert!(matches!(steps(&[b'x'; 4096], 100).as_slice(), [Step::Close(_)]));
    let keys = b"get ".iter().chain(b"k ".repeat(200_000).iter()).copied().collect::<Vec<_>>();
    assert!(matches!(steps(&keys, 1000).as_slice(), [Step::Close(_)]));
}

#[test]
fn a_value_that_is_too_large_is_dropped_while_it_arrives() {
    let input = [&b"set k 0 0 100000\r\n"[..], &[b'x'; 100_000], b"\r\nget k\r\n"].concat();
    let steps = steps(&input, 1000);
    assert!(matches!(steps.as_slice(), [Step::Unstored { .. }, Step::Do(_)]), "{steps:?}");
}

#[test]
fn what_lacks_memory_is_refused_and_dropped() {
    let text = |line: &str, reply: &str| {
        let (mut parser, mut input) = (Parser::new(1000), BytesMut::from(line));
        assert_eq!((parser.next(&mut input), parser.wanted()), (Step::Wait, 102), "{line}");
        let step = parser.refuse(&mut input);
        input.extend_from_slice(&[b'x'; 100]);
        input.extend_from_slice(b"\r\nget k\r\n");
        assert!(matches!(parser.next(&mut input), Step::Do(Command::Get { .. })), "{line}");
        let is_unstored = matches!(step, Step::Unstored { .. });
        let (Step::Refuse(said) | Step::Unstored { reply: said, .. }) = step else { panic!("{step:?}") };
        assert_eq!(said, reply, "{line}");
        is_unstored
    };
    let refused = "SERVER_ERROR out of memory storing object\r\n";
    assert!(text("set k 0 0 100\r\n", refused), "nothing stale stays");
    assert!(text("set k 0 0 100 noreply\r\n", ""));
    assert!(!text("add k 0 0 100\r\n", refused));
    assert!(text("ms k 100\r\n", refused));

    let mut frame = BytesMut::from(&b"\x80\x01\x00\x01\x08\x00\x00\x00\x00\x00\x00\x6d"[..]);
    frame.extend_from_slice(b"\x00\x00\x00\x07\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0k");
    let mut parser = Parser::new(1000);
    assert_eq!((parser.next(&mut frame), parser.wanted()), (Step::Wait, 24 + 109));
    let step = parser.refuse(&mut frame);
    let Step::Unstored { key, reply } = step else { panic!("{step:?}") };
    assert_eq!(
        (&key[..], &reply[6..8], &reply[12..16]),
        (&b"k"[..], &b"\x00\x82"[..], &b"\x00\x00\x00\x07"[..])
    );
    frame.extend_from_slice(&[0x80; 100]);
    assert_eq!((parser.next(&mut frame), frame.len()), (Step::Wait, 0), "the value is dropped");

    let (mut parser, mut line) = (Parser::new(1000), BytesMut::from("get k k k k"));
    assert_eq!(parser.next(&mut line), Step::Wait);
    assert!(matches!(parser.refuse(&mut line), Step::Close(_)));
}
