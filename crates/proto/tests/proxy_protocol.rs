//! The PROXY protocol from both sides: the examples of the specification, the values of version 2, and that what is written
//! is read again.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a helper that cannot go on is a failed test")]

mod oracle;

use std::net::{IpAddr, SocketAddr};

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proto::proxy_protocol::{
    Ends, HEADER_BYTES_MAX, HeaderError, Progress, Ssl, Told, TooLong, Transport, Values, parse, values,
    write_v1, write_v2,
};

const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

fn ends(source: &str, destination: &str) -> Ends {
    Ends { source: source.parse().unwrap(), destination: destination.parse().unwrap() }
}

fn v1(source: &str, destination: &str) -> String {
    let mut out = Vec::new();
    write_v1(Some(ends(source, destination)), &mut out);
    String::from_utf8(out).unwrap()
}

fn v2(told: Told, values: &Values<'_>, is_sealed: bool) -> Vec<u8> {
    let mut out = b"before".to_vec();
    write_v2(told, Transport::Stream, values, is_sealed, &mut out).unwrap();
    out.split_off(b"before".len())
}

fn read(header: &[u8]) -> (Told, Values<'_>) {
    let with_data = [header, b"SSH-2.0-x\r\n"].concat();
    for end in 0..header.len() {
        assert_eq!(parse(&with_data[..end]), Ok(Progress::NeedMore), "{end}");
    }
    let Ok(Progress::Complete { told, header_bytes }) = parse(&with_data) else { panic!("{header:?}") };
    assert_eq!(header_bytes, header.len());
    (told, values(header))
}

/// A header of version 2 for IPv4 addresses, with these bytes behind them.
fn with_values(rest: &[u8]) -> Vec<u8> {
    let length = u16::try_from(12 + rest.len()).unwrap().to_be_bytes();
    let addresses = [192, 0, 2, 1, 198, 51, 100, 7, 0xdc, 4, 1, 187];
    [SIGNATURE, &[0x21, 0x11], &length, &addresses, rest].concat()
}

fn value(kind: u8, content: &[u8]) -> Vec<u8> {
    [&[kind][..], &u16::try_from(content.len()).unwrap().to_be_bytes(), content].concat()
}

/// §2.1: examples and lengths.
#[test]
fn version_1_is_written_as_specified() {
    assert_eq!(
        v1("192.168.0.1:56324", "192.168.0.11:443"),
        "PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n"
    );
    let longest = v1("255.255.255.255:65535", "255.255.255.255:65535");
    assert_eq!(longest, "PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n");
    assert_eq!(longest.len(), 56);
    let full = "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535";
    assert_eq!(v1(full, full).len(), 104);
    assert_eq!(v1("[2001:db8::1]:1", "192.0.2.1:2"), "PROXY TCP6 2001:db8::1 ::ffff:192.0.2.1 1 2\r\n");
    assert_eq!(v1("[::ffff:192.0.2.1]:1", "192.0.2.2:2"), "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n");
    let mut out = Vec::new();
    write_v1(None, &mut out);
    assert_eq!(out, b"PROXY UNKNOWN\r\n");
    assert_eq!(read(&out), (Told::Unknown, Values::default()));
}

/// §2.2: bytes, one field after the other.
#[test]
fn version_2_is_written_as_specified() {
    let v4 = ends("192.0.2.1:56324", "198.51.100.7:443");
    let header = v2(Told::Ends(v4), &Values::default(), false);
    assert_eq!(header, with_values(&[]));
    let v6 = ends("[2001:db8::1]:1", "[::1]:2");
    let header = v2(Told::Ends(v6), &Values::default(), false);
    assert_eq!(&header[12..16], [0x21, 0x21, 0, 36]);
    assert_eq!(&header[16..20], [0x20, 1, 0xd, 0xb8]);
    assert_eq!((header.len(), &header[48..]), (52, &[0, 1, 0, 2][..]));
    assert_eq!(v2(Told::Own, &Values::default(), true), [SIGNATURE, &[0x20, 0, 0, 0]].concat());
    assert_eq!(v2(Told::Unknown, &Values::default(), true), [SIGNATURE, &[0x21, 0, 0, 0]].concat());
    let mut out = Vec::new();
    write_v2(Told::Ends(v4), Transport::Datagram, &Values::default(), false, &mut out).unwrap();
    assert_eq!(out[13], 0x12);
    assert_eq!(read(&out).0, Told::Unknown, "a TCP connection does not come from UDP");
}

#[test]
fn values_are_written_as_specified() {
    let ssl = Ssl {
        is_tls: true,
        has_certificate: true,
        is_verified: true,
        version: Some("TLSv1.3"),
        common_name: Some("müller"),
        ..Ssl::default()
    };
    let values =
        Values { alpn: Some(b"h2"), authority: Some("a.example"), unique_id: Some(b"\0id"), ssl: Some(ssl) };
    let told = Told::Ends(ends("192.0.2.1:56324", "198.51.100.7:443"));
    let header = v2(told, &values, false);
    let parts = [&[3, 0, 0, 0, 0][..], &value(0x21, b"TLSv1.3"), &value(0x22, "müller".as_bytes())].concat();
    let expected = [value(1, b"h2"), value(2, b"a.example"), value(5, b"\0id"), value(0x20, &parts)].concat();
    assert_eq!(header, with_values(&expected));
    let sealed = v2(told, &values, true);
    assert_eq!(sealed.len(), header.len() + 7);
    assert_eq!(&sealed[header.len()..header.len() + 3], [3, 0, 4]);
    for header in [header, sealed] {
        assert_eq!(read(&header), (told, values));
    }
}

/// Types that mean nothing here are ignored, and the order does not matter.
#[test]
fn values_of_other_senders_are_read() {
    let ssl = [
        &[7, 0, 0, 0, 0][..],
        &value(0x21, b"TLSv1.2"),
        &value(0x25, b"RSA2048"),
        &value(0x24, b"SHA256"),
        &value(0x23, b"ECDHE-RSA-AES256-GCM-SHA384"),
        &value(0x22, b"client"),
    ]
    .concat();
    let rest =
        [value(0xea, b"\x01vpce-1"), value(4, b"padding"), value(0x20, &ssl), value(0x30, b"ns")].concat();
    let header = with_values(&rest);
    let (_, found) = read(&header);
    let expected = Ssl {
        is_tls: true,
        has_certificate: true,
        has_session_certificate: true,
        is_verified: true,
        version: Some("TLSv1.2"),
        common_name: Some("client"),
        cipher: Some("ECDHE-RSA-AES256-GCM-SHA384"),
    };
    assert_eq!(found, Values { ssl: Some(expected), ..Values::default() });
    for (client, verify, is_verified) in [(3, 0, true), (5, 0, true), (3, 1, false), (1, 0, false)] {
        let header = with_values(&value(0x20, &[client, 0, 0, 0, verify]));
        assert_eq!(read(&header).1.ssl.unwrap().is_verified, is_verified, "{client} {verify}");
    }
}

#[test]
fn malformed_values_are_refused() {
    let many = "several values of one type";
    let twice = |kind, content: &[u8]| [value(kind, content), value(kind, content)].concat();
    let with_part = |part: &[u8]| value(0x20, &[&[1, 0, 0, 0, 0][..], part].concat());
    for (rest, detail) in [
        (twice(1, b"h2"), many),
        (twice(2, b"a"), many),
        (twice(5, b"id"), many),
        (twice(0x20, &[0; 5]), many),
        (value(2, b"\xff"), "value is not UTF-8"),
        (value(5, &[0; 129]), "unique id too long"),
        (value(0x20, &[0; 4]), "SSL value too short"),
        (value(0x20, &[]), "SSL value too short"),
        (with_part(&[0x21]), "value beyond the header's end"),
        (with_part(&[0x21, 0, 9, 1]), "value beyond the header's end"),
        (with_part(&value(0x22, b"\xc3")), "value is not UTF-8"),
        (with_part(&twice(0x21, b"TLSv1.3")), many),
        (vec![1, 0], "value beyond the header's end"),
    ] {
        assert_eq!(parse(&with_values(&rest)), Err(HeaderError::Malformed(detail)), "{rest:?}");
    }
    assert_eq!(read(&with_values(&value(5, &[7; 128]))).1.unique_id, Some(&[7; 128][..]));
    assert_eq!(read(&with_values(&value(1, b""))).1.alpn, Some(&b""[..]));
}

#[test]
fn only_a_header_with_addresses_has_values() {
    let length = [0, 12 + 5];
    for (version, family) in [(0x20, 0x11), (0x21, 0x00), (0x21, 0x01)] {
        let header = [SIGNATURE, &[version, family], &length, &[0; 12], &value(1, b"h2")].concat();
        assert_eq!(read(&header).1, Values::default(), "{version} {family}");
    }
    for other in [&b""[..], b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n", SIGNATURE, &with_values(&[])[..20]] {
        assert_eq!(values(other), Values::default());
    }
}

#[test]
fn one_version_does_not_continue_as_the_other() {
    let v1 = b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n";
    let v2 = with_values(&[]);
    for (bytes, header_bytes) in [([&v1[..], &v2].concat(), v1.len()), ([&v2[..], v1].concat(), v2.len())] {
        let Ok(Progress::Complete { header_bytes: found, .. }) = parse(&bytes) else { panic!() };
        assert_eq!(found, header_bytes, "the second one is data");
    }
    assert_eq!(parse(b"PROXY \r\n\r\n\0\r\nQUIT\n"), Err(HeaderError::Malformed("unknown protocol")));
    assert_eq!(parse(b"\r\n\r\nPROXY TCP4"), Err(HeaderError::Missing));
}

#[test]
fn a_header_that_would_be_too_long_is_not_written() {
    let told = Told::Ends(ends("192.0.2.1:1", "192.0.2.2:2"));
    // Signature, addresses and the heads of two values take 34 bytes.
    let (fits, over, huge) = (vec![b'a'; 4_062], vec![b'a'; 4_063], vec![b'a'; 70_000]);
    let write = |alpn: &[u8], unique_id: &[u8], is_sealed| {
        let values = Values { alpn: Some(alpn), unique_id: Some(unique_id), ..Values::default() };
        let mut out = b"x".to_vec();
        let written = write_v2(told, Transport::Stream, &values, is_sealed, &mut out);
        assert_eq!(written.is_err(), out == b"x");
        written.map(|()| out.len() - 1)
    };
    assert_eq!(write(&fits, b"", false), Ok(HEADER_BYTES_MAX));
    assert_eq!(write(&over, b"", false), Err(TooLong));
    assert_eq!(write(&fits, b"", true), Err(TooLong));
    assert_eq!(write(&huge, b"", false), Err(TooLong));
    assert_eq!(write(b"", &[0; 129], false), Err(TooLong));
}

fn any_address() -> impl Strategy<Value = SocketAddr> {
    let v4 = any::<[u8; 4]>().prop_map(IpAddr::from);
    let v6 = any::<[u8; 16]>().prop_map(IpAddr::from);
    (prop_oneof![v4, v6], any::<u16>()).prop_map(|(ip, port)| SocketAddr::new(ip.to_canonical(), port))
}

prop_compose! {
    fn any_ends()(source in any_address(), destination in any_address()) -> Ends {
        Ends { source, destination }
    }
}

proptest! {
    #[test]
    fn what_version_1_says_is_read_again(ends in any_ends()) {
        let mut out = Vec::new();
        write_v1(Some(ends), &mut out);
        prop_assert!(out.len() <= 107);
        prop_assert_eq!(read(&out).0, Told::Ends(ends));
        oracle::proxy_header(&out);
    }

    #[test]
    fn what_version_2_says_is_read_again(
        ends in any_ends(),
        (alpn, authority, unique_id) in (option::of(vec(any::<u8>(), 0..20)), option::of(".{0,30}"), option::of(vec(any::<u8>(), 0..=128))),
        (bits, version, common_name, cipher) in (0_u8..16, option::of(".{0,9}"), option::of(".{0,30}"), option::of(".{0,30}")),
        has_ssl in any::<bool>(),
        is_sealed in any::<bool>(),
    ) {
        let has_certificate = bits & 2 != 0;
        let has_session_certificate = bits & 4 != 0;
        let ssl = Ssl {
            is_tls: bits & 1 != 0,
            has_certificate,
            has_session_certificate,
            is_verified: bits & 8 != 0 && (has_certificate || has_session_certificate),
            version: version.as_deref(),
            common_name: common_name.as_deref(),
            cipher: cipher.as_deref(),
        };
        let values = Values {
            alpn: alpn.as_deref(),
            authority: authority.as_deref(),
            unique_id: unique_id.as_deref(),
            ssl: has_ssl.then_some(ssl),
        };
        let header = v2(Told::Ends(ends), &values, is_sealed);
        prop_assert_eq!(read(&header), (Told::Ends(ends), values));
    }

    #[test]
    fn near_misses_hold_the_invariants(
        ends in any_ends(),
        id in vec(any::<u8>(), 0..40),
        is_sealed in any::<bool>(),
        changes in vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let ssl = Ssl { is_tls: true, version: Some("TLSv1.3"), common_name: Some("a"), ..Ssl::default() };
        let values =
            Values { alpn: Some(b"h2"), authority: Some("a.b"), unique_id: Some(&id), ssl: Some(ssl) };
        let mut header = v2(Told::Ends(ends), &values, is_sealed);
        for (place, byte) in changes {
            let at = place.index(header.len());
            header[at] = byte;
        }
        oracle::proxy_header(&header);
    }
}
