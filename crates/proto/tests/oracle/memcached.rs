//! The parser of memcached's protocol.

use bytes::BytesMut;
use proto::memcached::{Command, Form, MetaItem, Outcome, Parser, Reply, Step};

/// The steps do not depend on how the input is split, each can be answered, and one that lacks memory can be refused.
pub(crate) fn memcached(input: &[u8]) {
    let whole = memcached_steps(input, input.len());
    whole.iter().for_each(answer);
    refuse(input);
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

/// Whatever comes of a command, its reply is a line or a frame, or nothing.
fn answer(step: &Step) {
    let Step::Do(command) = step else { return };
    let item = MetaItem { value: b"value", flags: 7, version: 9, seconds: Some(60) };
    for outcome in [
        Outcome::Stored(1),
        Outcome::NotFound,
        Outcome::Exists,
        Outcome::NotStored,
        Outcome::Number(5, 1),
        Outcome::Away("late"),
        Outcome::NoMemory,
    ] {
        let mut out = BytesMut::new();
        match command {
            Command::Meta(meta) => {
                Reply(&mut out).meta(meta, outcome, Some(item));
                assert!(out.is_empty() || out.ends_with(b"\r\n"), "{out:?}");
            }
            Command::Get { keys, form, .. } => {
                for key in keys.iter() {
                    Reply(&mut out).item(key, 7, b"value", 9, *form);
                }
                assert!(*form == Form::Silent || !out.is_empty());
            }
            Command::Store { form, .. } | Command::Delete { form, .. } | Command::Add { form, .. } => {
                Reply(&mut out).outcome(outcome, *form);
                assert!(!matches!(form, Form::Text { .. }) || out.ends_with(b"\r\n"), "{out:?}");
            }
            _ => {}
        }
    }
}

/// The command of which only a part has come is refused, and what follows its value is understood.
fn refuse(input: &[u8]) {
    let (mut parser, mut buffer) = (Parser::new(1000), BytesMut::from(input));
    loop {
        match parser.next(&mut buffer) {
            Step::Wait => break,
            Step::Close(_) => return,
            _ => {}
        }
    }
    let wanted = parser.wanted();
    let missing = wanted.saturating_sub(buffer.len());
    if missing == 0 || matches!(parser.refuse(&mut buffer), Step::Close(_)) {
        return;
    }
    let is_binary = input.first() == Some(&0x80);
    let next: &[u8] = if is_binary { &NOOP } else { b"mn\r\n" };
    buffer.extend(std::iter::repeat_n(b'x', missing));
    buffer.extend_from_slice(next);
    let step = parser.next(&mut buffer);
    assert!(matches!(step, Step::Do(Command::Nothing(_)) | Step::Refuse(_)) && buffer.is_empty(), "{step:?}");
}

const NOOP: [u8; 24] = {
    let mut frame = [0; 24];
    (frame[0], frame[1]) = (0x80, 0x0a);
    frame
};
