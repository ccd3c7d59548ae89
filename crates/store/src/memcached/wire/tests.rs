use proptest::prelude::*;

use super::*;
use crate::{MANY_VALUE_BYTES_MAX, VALUE_BYTES_MAX, Version};

#[test]
fn commands_are_written() {
    let put = |when| Command::Put { key: key(), value: "hi".into(), flags: 7, end: 60, when };
    let table = [
        (Command::Get(key(), VALUE_BYTES_MAX), "mg k v f t c\r\n", "gets k\r\n"),
        (put(When::Always), "ms k 2 c F7 T60\r\nhi\r\n", "set k 7 60 2\r\nhi\r\n"),
        (put(When::Absent), "ms k 2 c F7 T60 ME\r\nhi\r\n", "add k 7 60 2\r\nhi\r\n"),
        (put(When::Present), "ms k 2 c F7 T60 MR\r\nhi\r\n", "replace k 7 60 2\r\nhi\r\n"),
        (put(When::Unchanged(Version(9))), "ms k 2 c F7 T60 C9\r\nhi\r\n", "cas k 7 60 2 9\r\nhi\r\n"),
        (Command::Touch { key: key(), end: 5 }, "mg k T5\r\n", "touch k 5\r\n"),
        (Command::Delete(key()), "md k\r\n", "delete k\r\n"),
        (Command::Flush, "flush_all\r\n", "flush_all\r\n"),
    ];
    for (command, meta, text) in table {
        for (protocol, expected) in [(Protocol::Meta, meta), (Protocol::Text, text)] {
            let mut out = Vec::new();
            command.write(protocol, &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), expected);
        }
    }
}

#[test]
fn answers_are_read() {
    let found = |left, version| Answer::Found { value: "a\r\nb".into(), flags: 5, left, version };
    let table = [
        (get(), Protocol::Meta, "VA 4 f5 t-1 c9\r\na\r\nb\r\n", found(None, 9)),
        (get(), Protocol::Meta, "VA 4 c9 f5 t30\r\na\r\nb\r\n", found(Some(30), 9)),
        (get(), Protocol::Text, "VALUE k 5 4 9\r\na\r\nb\r\nEND\r\n", found(None, 9)),
        (get(), Protocol::Meta, "EN\r\n", Answer::Missing),
        (get(), Protocol::Text, "END\r\n", Answer::Missing),
        (put(), Protocol::Meta, "HD c17\r\n", Answer::Stored(17)),
        (put(), Protocol::Meta, "HD\r\n", Answer::Stored(0)),
        (put(), Protocol::Text, "STORED\r\n", Answer::Stored(0)),
        (put(), Protocol::Meta, "NS c0\r\n", Answer::Refused),
        (put(), Protocol::Text, "EXISTS\r\n", Answer::Refused),
        (
            put(),
            Protocol::Text,
            "SERVER_ERROR object too large for cache\r\n",
            Answer::Failed(StoreError::TooLarge),
        ),
    ];
    for (command, protocol, text, answer) in table {
        let expected = command.write(protocol, &mut Vec::new());
        // Byte by byte, with the next answer behind it.
        let mut input = BytesMut::new();
        for byte in text.bytes() {
            assert_eq!(expected.read(&mut input), Ok(None), "{text}");
            input.extend_from_slice(&[byte]);
        }
        input.extend_from_slice(b"HD\r\n");
        assert_eq!(expected.read(&mut input), Ok(Some(answer)), "{text}");
        assert_eq!(&input[..], b"HD\r\n", "{text}");
    }
}

#[test]
fn a_key_that_is_no_text_comes_back() {
    for bytes in [&b"\xff\x80"[..], b"\xc3", "\u{a0}".as_bytes(), "k\u{2003}".as_bytes()] {
        let command = Command::Get(Key::new(bytes).unwrap(), VALUE_BYTES_MAX);
        let expected = command.write(Protocol::Text, &mut Vec::new());
        let answer = [b"VALUE ", bytes, b" 5 2 9\r\nab\r\nEND\r\n"].concat();
        let found = Answer::Found { value: "ab".into(), flags: 5, left: None, version: 9 };
        assert_eq!(expected.read(&mut BytesMut::from(&answer[..])), Ok(Some(found)), "{bytes:?}");
    }
}

#[test]
fn an_unexpected_answer_is_told_without_a_key() {
    for text in ["VALUE secret 0 1 1\r\n", "VALUE secret 0 x 1\r\n", "STORED secret\r\n"] {
        let answer = get().write(Protocol::Text, &mut Vec::new()).read(&mut BytesMut::from(text));
        let Err(StoreError::Garbage(detail)) = &answer else { panic!("{text}: {answer:?}") };
        let first = text.split(' ').next().unwrap();
        assert_eq!(*detail, format!("unexpected answer `{first}`"));
    }
}

#[test]
fn nonsense_is_refused() {
    let long = "x".repeat(2_000);
    let meta = [
        "HD\r\n",
        "VA\r\n",
        "VA -1 f0 t-1 c1\r\n",
        "VA 99999999999 f0 c1\r\n",
        "VA 16777281 f0 c1\r\n",
        "VA 1 f0 t0\r\n",
        "VA 1 f4294967296 c1\r\n",
        "VA 1 f0 c1\r\nxyz",
        "CLIENT_ERROR bad\r\n",
        "ERROR\r\n",
        "\r\n",
        "HTTP/1.1 400 Bad Request\r\n",
        "\u{fc}\r\n",
        &long,
    ];
    let text = [
        "VALUE other 0 1 1\r\n",
        "VALUE k 0 1\r\n",
        "VALUE k 0 1 1 1\r\n",
        "VALUE k 0 1 1\r\nxENDEND\r\n",
        "EN\r\n",
        "STORED\r\n",
    ];
    let table =
        meta.iter().map(|text| (Protocol::Meta, *text)).chain(text.map(|text| (Protocol::Text, text)));
    for (protocol, text) in table {
        let mut input = BytesMut::from(text);
        let answer = get().write(protocol, &mut Vec::new()).read(&mut input);
        let Err(StoreError::Garbage(detail)) = &answer else { panic!("{text}: {answer:?}") };
        assert!(detail.len() < 300 && detail.is_ascii(), "{detail}");
    }
}

#[test]
fn a_value_over_the_limit_of_its_read_is_refused_at_its_head() {
    let get = Command::Get(key(), MANY_VALUE_BYTES_MAX);
    for (protocol, head) in [(Protocol::Meta, "VA {} f0 t-1 c1\r\n"), (Protocol::Text, "VALUE k 0 {} 1\r\n")]
    {
        for (bytes, is_read) in [(MANY_VALUE_BYTES_MAX, true), (MANY_VALUE_BYTES_MAX + 1, false)] {
            let mut input = BytesMut::from(head.replace("{}", &bytes.to_string()).as_bytes());
            let answer = get.write(protocol, &mut Vec::new()).read(&mut input);
            assert_eq!(answer.is_ok(), is_read, "{answer:?}");
        }
    }
}

proptest! {
    /// Whatever comes, and in whatever pieces: no panic, and what is understood has the length that it says.
    #[test]
    fn any_bytes(
        words in proptest::collection::vec(proptest::sample::select(vec![
            &b"VA "[..], &b"VALUE k "[..], &b"HD"[..], &b"EN"[..], &b"END"[..], &b"\r\n"[..], &b"3"[..],
            &b" "[..], &b"0 2 1"[..], &b"f1 "[..], &b"t-1 "[..], &b"c4"[..], &b"STORED"[..], &b"\0"[..],
            &b"SERVER_ERROR x"[..], &b"-"[..], &b"\xff"[..],
        ]), 0..24),
        is_meta in any::<bool>(),
        is_get in any::<bool>(),
    ) {
        let protocol = if is_meta { Protocol::Meta } else { Protocol::Text };
        let expected = if is_get { get() } else { put() }.write(protocol, &mut Vec::new());
        let bytes = words.concat();
        let mut whole = BytesMut::from(&bytes[..]);
        let at_once = expected.read(&mut whole);
        let mut pieces = BytesMut::new();
        let mut in_pieces = Ok(None);
        for byte in bytes {
            pieces.extend_from_slice(&[byte]);
            in_pieces = expected.read(&mut pieces);
            if in_pieces != Ok(None) {
                break;
            }
        }
        prop_assert_eq!(in_pieces.map_err(|error| error.reason()), at_once.map_err(|error| error.reason()));
    }
}

fn key() -> Key {
    Key::new(b"k").unwrap()
}

fn get() -> Command {
    Command::Get(key(), VALUE_BYTES_MAX)
}

fn put() -> Command {
    Command::Put { key: key(), value: Bytes::new(), flags: 0, end: 0, when: When::Always }
}
