//! Properties of the parser of memcached's protocol, and its fuzz corpus.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use proptest::prelude::*;
use proto::memcached::Step;

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
    assert!(matches!(steps.as_slice(), [Step::TooLarge { .. }, Step::Do(_)]), "{steps:?}");
}

#[test]
fn commands_of_the_corpus_are_understood() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/memcached");
    let mut count = 0;
    for file in std::fs::read_dir(folder).unwrap() {
        oracle::memcached(&std::fs::read(file.unwrap().path()).unwrap());
        count += 1;
    }
    assert!(count >= 15, "{count}");
}
