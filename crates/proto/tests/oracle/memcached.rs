//! The parser of memcached's protocol.

use bytes::BytesMut;
use proto::memcached::{Parser, Step};

/// The steps do not depend on how the input is split.
pub(crate) fn memcached(input: &[u8]) {
    let whole = memcached_steps(input, input.len());
    for size in [1, 7, 100] {
        assert_eq!(memcached_steps(input, size), whole, "{size}");
    }
}

/// What is found in input that comes in pieces of this size.
pub(crate) fn memcached_steps(input: &[u8], size: usize) -> Vec<Step> {
    let (mut parser, mut buffer, mut steps) = (Parser::new(1000), BytesMut::new(), Vec::new());
    for piece in input.chunks(size.max(1)) {
        buffer.extend_from_slice(piece);
        loop {
            match parser.next(&mut buffer) {
                Step::Wait => break,
                step @ Step::Close(_) => {
                    steps.push(step);
                    return steps;
                }
                step => steps.push(step),
            }
        }
        assert!(buffer.len() <= parser.input_bytes_max() + size);
    }
    steps
}
