//! A PROXY header.

use proto::proxy_protocol::{HEADER_BYTES_MAX, Progress, Told, Transport, Values, parse, values, write_v2};

/// A PROXY header: once there is a result, more bytes do not change it; and the header ends where it says.
pub(crate) fn proxy_header(bytes: &[u8]) {
    let whole = parse(bytes);
    for end in 0..bytes.len() {
        let part = parse(&bytes[..end]);
        assert!(part == Ok(Progress::NeedMore) || part == whole, "{end}: {part:?} {whole:?}");
    }
    match whole {
        Ok(Progress::NeedMore) => assert!(bytes.len() < HEADER_BYTES_MAX),
        Ok(Progress::Complete { header_bytes, told }) => {
            assert!(header_bytes <= HEADER_BYTES_MAX);
            assert_eq!(parse(&bytes[..header_bytes]), whole);
            assert_eq!(parse(&bytes[..header_bytes - 1]), Ok(Progress::NeedMore));
            written_again(told, values(&bytes[..header_bytes]));
        }
        Err(_) => assert_eq!(values(bytes), Values::default()),
    }
}

/// What was read can be written, and says the same.
fn written_again(told: Told, read: Values<'_>) {
    let mut out = Vec::new();
    for is_sealed in [false, true] {
        out.clear();
        // The checksum may not have room.
        if write_v2(told, Transport::Stream, &read, is_sealed, &mut out).is_err() {
            assert!(is_sealed && out.is_empty());
            continue;
        }
        assert_eq!(parse(&out), Ok(Progress::Complete { told, header_bytes: out.len() }));
        let expected = if matches!(told, Told::Ends(_)) { read } else { Values::default() };
        assert_eq!(values(&out), expected);
    }
}
