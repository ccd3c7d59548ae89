//! Reading a ClientHello: what is found, what is refused, and that the split of the bytes does not matter.

#![allow(clippy::unwrap_used, reason = "a helper that cannot go on is a failed test")]

use proptest::prelude::*;
use proto::client_hello::{Alert, Peek, peek};

fn vector16(bytes: &[u8]) -> Vec<u8> {
    [&u16::try_from(bytes.len()).unwrap().to_be_bytes()[..], bytes].concat()
}

fn name_list(names: &[(u8, &[u8])]) -> Vec<u8> {
    let entries: Vec<u8> =
        names.iter().flat_map(|(kind, name)| [vec![*kind], vector16(name)].concat()).collect();
    vector16(&entries)
}

fn message(version: u16, extensions: Option<&[(u16, Vec<u8>)]>) -> Vec<u8> {
    let mut body = version.to_be_bytes().to_vec();
    body.extend([7; 32]);
    body.extend([0, 0, 2, 0x13, 1, 1, 0]);
    if let Some(extensions) = extensions {
        let all: Vec<u8> = extensions
            .iter()
            .flat_map(|(kind, data)| [kind.to_be_bytes().to_vec(), vector16(data)].concat())
            .collect();
        body.extend(vector16(&all));
    }
    let len = u32::try_from(body.len()).unwrap().to_be_bytes();
    [&[1], &len[1..], &body].concat()
}

fn records(message: &[u8], sizes: &[usize]) -> Vec<u8> {
    let (mut out, mut rest, mut sizes) = (Vec::new(), message, sizes.iter().cycle());
    while !rest.is_empty() {
        let (part, next) = rest.split_at((*sizes.next().unwrap()).clamp(1, rest.len()));
        out.extend([&[22, 3, 1][..], &vector16(part)].concat());
        rest = next;
    }
    out
}

fn hello(name: &[u8]) -> Vec<u8> {
    let extensions = [(0, name_list(&[(0, name)])), (43, vec![4, 3, 4, 3, 3])];
    records(&message(0x0303, Some(&extensions)), &[1 << 14])
}

fn alpn(names: &[&[u8]]) -> (u16, Vec<u8>) {
    let list: Vec<u8> =
        names.iter().flat_map(|name| [&[u8::try_from(name.len()).unwrap()][..], name].concat()).collect();
    (16, vector16(&list))
}

#[test]
fn protocols_are_found() {
    let of = |extensions: &[_]| peek(&records(&message(0x0303, Some(extensions)), &[1 << 14]));
    let found = |extensions: &[_]| match of(extensions) {
        Peek::Complete(hello) => hello.protocols().map(<[u8]>::to_vec).collect::<Vec<_>>(),
        other => panic!("{other:?}"),
    };
    assert_eq!(found(&[alpn(&[b"h2", b"http/1.1"])]), [&b"h2"[..], b"http/1.1"]);
    assert_eq!(found(&[(0, name_list(&[(0, b"a")])), alpn(&[&[7; 255]])]), [&[7; 255][..]]);
    assert!(found(&[]).is_empty());
    for wrong in [
        alpn(&[]),
        alpn(&[b"h2", b""]),
        (16, Vec::new()),
        (16, vec![0, 2, 2, b'h']),
        (16, vec![0, 2, 1, b'a', 0]),
        (16, vec![0, 9, 1, b'a']),
    ] {
        let refused = Peek::Refused(Alert::DecodeError, "a ClientHello that cannot be read");
        assert_eq!(of(std::slice::from_ref(&wrong)), refused, "{wrong:?}");
    }
    let twice = of(&[alpn(&[b"h2"]), alpn(&[b"h2"])]);
    assert_eq!(twice, Peek::Refused(Alert::IllegalParameter, "two lists of protocols"));
}

#[test]
fn names_and_versions_are_found() {
    let found = |bytes: &[u8]| match peek(bytes) {
        Peek::Complete(hello) => (hello.server_name, hello.offers_tls12, hello.offers_tls13),
        other => panic!("{other:?}"),
    };
    assert_eq!(found(&hello(b"A.Example.")), (Some("a.example".into()), true, true));
    assert_eq!(found(&hello(b"192.0.2.1")), (None, true, true));
    let of = |version, extensions: Option<&[_]>| records(&message(version, extensions), &[1 << 14]);
    assert_eq!(found(&of(0x0303, None)), (None, true, false));
    assert_eq!(found(&of(0x0301, None)), (None, false, false));
    assert_eq!(found(&of(0x0303, Some(&[(43, vec![2, 3, 2])]))), (None, false, false));
}

/// Real clients send names that are none of a host; whether a certificate can have it is not decided here.
#[test]
fn other_names_are_told_apart() {
    for (name, server_name, is_other) in [
        (&b"a..example"[..], None, true),
        (b"a example", None, true),
        (b"a\0.example", None, true),
        (b"[::1]", None, true),
        ("bücher.example".as_bytes(), None, true),
        (b"\xff\xfe", None, true),
        (b".", None, true),
        (&[b'a'; 300], None, true),
        (b"localhost:8443", Some("localhost:8443"), false),
        (b"-a.example", Some("-a.example"), false),
        (b"::1", None, false),
        (b"a.example", Some("a.example"), false),
    ] {
        let Peek::Complete(found) = peek(&hello(name)) else { panic!("{name:?}") };
        assert_eq!((found.server_name.as_deref(), found.has_other_name), (server_name, is_other), "{name:?}");
    }
}

#[test]
fn other_bytes_are_refused() {
    let of = |extensions: &[_]| records(&message(0x0303, Some(extensions)), &[1 << 14]);
    let name = || name_list(&[(0, b"a.example")]);
    let cases = [
        (hello(b""), Alert::DecodeError),
        (of(&[(0, name()), (0, name())]), Alert::IllegalParameter),
        (of(&[(0, name_list(&[(0, b"a"), (0, b"b")]))]), Alert::IllegalParameter),
        (of(&[(0, vec![])]), Alert::DecodeError),
        (of(&[(0, name_list(&[]))]), Alert::DecodeError),
        (of(&[(43, vec![9, 3, 4])]), Alert::DecodeError),
        (vec![22, 3, 1, 0, 0], Alert::RecordOverflow),
        (vec![22, 3, 1, 0xff, 0xff], Alert::RecordOverflow),
        (vec![22, 9, 1, 0, 1], Alert::UnexpectedMessage),
        (vec![22, 3, 1, 0, 1, 2], Alert::UnexpectedMessage),
        (vec![22, 3, 1, 0, 4, 1, 0xff, 0, 0], Alert::IllegalParameter),
        (vec![0x80, 1], Alert::UnexpectedMessage),
    ];
    for (bytes, alert) in cases {
        assert!(
            matches!(peek(&bytes), Peek::Refused(found, _) if found == alert),
            "{bytes:?} {:?}",
            peek(&bytes)
        );
    }
    assert_eq!(peek(b"GET / HTTP/1.1\r\n"), Peek::PlainHttp);
    assert_eq!(peek(b""), Peek::NeedMore);
    assert_eq!(Alert::ProtocolVersion.record(), [21, 3, 3, 0, 2, 2, 70]);
}

proptest! {
    #[test]
    fn cuts_do_not_matter(sizes in prop::collection::vec(1_usize..80, 1..9)) {
        let extensions = [(0, name_list(&[(0, b"a.example")])), (43, vec![2, 3, 4])];
        let message = message(0x0303, Some(&extensions));
        let whole = peek(&records(&message, &[1 << 14]));
        let bytes = records(&message, &sizes);
        prop_assert_eq!(peek(&bytes), whole);
        for count in 0..bytes.len() {
            prop_assert_eq!(peek(&bytes[..count]), Peek::NeedMore, "{}", count);
        }
    }

    #[test]
    fn nothing_panics(bytes in prop::collection::vec(any::<u8>(), 0..300), at in 0_usize..200, byte: u8) {
        peek(&bytes);
        let mut near = hello(b"a.example");
        if let Some(place) = near.get_mut(at) {
            *place = byte;
        }
        peek(&near);
    }
}
