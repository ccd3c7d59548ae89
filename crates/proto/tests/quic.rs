//! The connection ids of QUIC packets: examples of the RFCs, what is refused, and that no bytes cause a panic.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a helper that cannot go on is a failed test")]

mod oracle;

use proptest::collection::vec;
use proptest::prelude::*;
use proto::quic::{Header, Kind, LongHeader, ServerIdPlace, parse};

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<_> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let pair = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks(2).map(pair).collect()
}

/// With this first byte, version and ids, and something behind them.
fn long(first: u8, version: u32, destination: &[u8], source: &[u8]) -> Vec<u8> {
    let length = |id: &[u8]| [u8::try_from(id.len()).unwrap()];
    [
        &[first][..],
        &version.to_be_bytes(),
        &length(destination),
        destination,
        &length(source),
        source,
        b"\0\x44\x9e encrypted",
    ]
    .concat()
}

fn long_header(datagram: &[u8]) -> LongHeader<'_> {
    match parse(datagram) {
        Ok(Header::Long(header)) => header,
        other => panic!("{other:?}"),
    }
}

/// RFC 9001 appendix A, RFC 9369 appendix A.
#[test]
fn packets_of_the_rfcs_are_read() {
    let client = "8394c8f03e515708";
    let server = "f067a5502a4262b5";
    for (text, version, kind, destination, source) in [
        (
            "c000000001 08 8394c8f03e515708 00 00 449e7b9aec34d1b1c98dd7689fb8ec11",
            1,
            Kind::Initial,
            client,
            "",
        ),
        (
            "cf00000001 00 08 f067a5502a4262b5 00 4075c0d95a482cd0991cd25b0aac406a",
            1,
            Kind::Initial,
            "",
            server,
        ),
        (
            "ff00000001 00 08 f067a5502a4262b5 746f6b656e 04a265ba2eff4d829058fb3f0f2496ba",
            1,
            Kind::Retry,
            "",
            server,
        ),
        (
            "d76b3343cf 08 8394c8f03e515708 00 00 449ea0c95e82ffe67b6abcdb4298b485",
            0x6b33_43cf,
            Kind::Initial,
            client,
            "",
        ),
        (
            "cf6b3343cf 00 08 f067a5502a4262b5 746f6b656e c8646ce8bfe33952d955543665dcc7b6",
            0x6b33_43cf,
            Kind::Retry,
            "",
            server,
        ),
    ] {
        let datagram = hex(text);
        let (destination, source) = (hex(destination), hex(source));
        let expected = LongHeader { version, kind, destination: &destination, source: &source };
        assert_eq!(long_header(&datagram), expected, "{text}");
    }
    let datagram = hex("4cfe4189655e5cd55c41f69080575d7999c25a5bfb");
    let short = parse(&datagram).unwrap();
    assert_eq!(short, Header::Short(&datagram[1..]));
    assert_eq!(short.destination(4), Some(&[0xfe, 0x41, 0x89, 0x65][..]));
    assert_eq!((short.destination(0), short.destination(21)), (Some(&[][..]), None));
}

#[test]
fn the_kind_depends_on_the_version() {
    for (first, version, kind) in [
        (0xc0, 1, Kind::Initial),
        (0xd0, 1, Kind::ZeroRtt),
        (0xe0, 1, Kind::Handshake),
        (0xf0, 1, Kind::Retry),
        (0xd0, 0x6b33_43cf, Kind::Initial),
        (0xe0, 0x6b33_43cf, Kind::ZeroRtt),
        (0xf0, 0x6b33_43cf, Kind::Handshake),
        (0xc0, 0x6b33_43cf, Kind::Retry),
        (0xf0, 0, Kind::VersionNegotiation),
        (0x80, 0, Kind::VersionNegotiation),
        (0xc0, 0x0a0a_0a0a, Kind::Other),
        // RFC 9287: the bit may be clear.
        (0x80, 1, Kind::Initial),
    ] {
        assert_eq!(long_header(&long(first, version, b"12345678", b"x")).kind, kind, "{first:x} {version:x}");
    }
}

#[test]
fn other_datagrams_are_refused() {
    let whole = long(0xc0, 1, b"12345678", b"abc");
    let header_bytes = 5 + 1 + 8 + 1 + 3;
    for end in 1..header_bytes {
        assert_eq!(parse(&whole[..end]), Err("header beyond the datagram's end"), "{end}");
    }
    assert!(parse(&whole[..header_bytes]).is_ok());
    assert_eq!(parse(b""), Err("empty datagram"));
    assert_eq!(parse(b"\x40"), Err("header beyond the datagram's end"));
    let too_long = "connection id too long";
    assert_eq!(parse(&long(0xc0, 1, &[1; 21], b"")), Err(too_long));
    assert_eq!(parse(&long(0xd0, 0x6b33_43cf, b"", &[1; 255])), Err(too_long));
    assert_eq!(long_header(&long(0xc0, 1, &[1; 20], &[2; 20])).destination.len(), 20);
    // Those of other versions may be longer: the answer to them is a Version Negotiation with the same ids.
    assert_eq!(long_header(&long(0xc0, 0xff, &[1; 255], &[2; 255])).source.len(), 255);
    assert_eq!(long_header(&long(0xc0, 0, &[1; 255], &[2; 255])).kind, Kind::VersionNegotiation);
}

#[test]
fn servers_are_found_by_the_id_in_the_connection_id() {
    let place = |offset, length| ServerIdPlace::new(offset, length).unwrap();
    let long = long(0xe0, 1, b"\x01AB45678", b"client");
    let short = [&[0x41][..], b"\x01AB45678", b"encrypted"].concat();
    for datagram in [long, short] {
        let header = parse(&datagram).unwrap();
        assert_eq!(header.server_id(place(1, 2)), Some(&b"AB"[..]));
        assert_eq!(header.server_id(place(0, 8)), Some(&b"\x01AB45678"[..]));
        assert_eq!(header.destination(8), Some(&b"\x01AB45678"[..]));
    }
    let cut = [0x41, 1, b'A'];
    assert_eq!(parse(&cut).unwrap().server_id(place(1, 2)), None);
    assert_eq!(parse(&cut).unwrap().server_id(place(1, 1)), Some(&b"A"[..]));
    for (offset, length, is_valid) in
        [(0, 1, true), (19, 1, true), (0, 20, true), (0, 0, false), (20, 1, false), (255, 255, false)]
    {
        assert_eq!(ServerIdPlace::new(offset, length).is_some(), is_valid, "{offset} {length}");
    }
}

#[test]
fn a_connection_begins_with_a_large_initial() {
    for (first, version, id, bytes, expected) in [
        (0xc0, 1, &b"12345678"[..], 1_200, true),
        (0xc0, 1, b"12345678", 1_199, false),
        (0xc0, 1, b"1234567", 1_200, false),
        (0xd0, 1, b"12345678", 1_200, true),
        (0xe0, 1, b"12345678", 1_200, false),
        (0xf0, 1, b"12345678", 1_200, false),
        (0xc0, 0, b"12345678", 1_200, false),
        (0xc0, 0x0a0a_0a0a, b"", 1_200, true),
    ] {
        let datagram = long(first, version, id, b"");
        assert_eq!(
            parse(&datagram).unwrap().may_begin(bytes),
            expected,
            "{first:x} {version} {id:?} {bytes}"
        );
    }
    assert!(!parse(b"\x40123456789").unwrap().may_begin(1_200));
}

proptest! {
    #[test]
    fn no_bytes_cause_a_panic(bytes in vec(any::<u8>(), 0..80)) {
        oracle::quic(&bytes);
    }

    #[test]
    fn what_is_written_is_read(
        first in 0x80_u8..=255,
        version in prop_oneof![Just(0_u32), Just(1), Just(0x6b33_43cf), any::<u32>()],
        destination in vec(any::<u8>(), 0..=20),
        source in vec(any::<u8>(), 0..=20),
    ) {
        let datagram = long(first, version, &destination, &source);
        let header = long_header(&datagram);
        prop_assert_eq!((header.version, header.destination, header.source), (version, &destination[..], &source[..]));
        oracle::quic(&datagram);
    }
}
