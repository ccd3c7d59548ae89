//! The header of a QUIC packet.

use proto::quic::{Header, Kind, ServerIdPlace, parse};

/// Ids stand in the datagram, and what a longer datagram says is the same.
pub(crate) fn quic(bytes: &[u8]) {
    let Ok(header) = parse(bytes) else {
        // More bytes cannot make a complete header out of a wrong one.
        if parse(bytes) == Err("connection id too long") {
            assert_eq!(parse(&[bytes, &[0; 600]].concat()), Err("connection id too long"));
        }
        return;
    };
    for length in 0..=20 {
        if let Some(id) = header.destination(length) {
            assert!(matches!(header, Header::Long(_)) || id == &bytes[1..=length]);
        }
        let place = ServerIdPlace::new(2, length as u8);
        if let (Some(place), Header::Long(long)) = (place, header) {
            assert_eq!(header.server_id(place), long.destination.get(2..2 + length));
        }
    }
    if let Header::Long(long) = header {
        let ids = long.destination.len() + long.source.len();
        assert!(bytes.len() >= 7 + ids && bytes[0] & 0x80 != 0);
        assert_eq!(long.version == 0, long.kind == Kind::VersionNegotiation);
        let header_bytes = 7 + ids;
        assert_eq!(parse(&bytes[..header_bytes]), Ok(header));
        assert!(parse(&bytes[..header_bytes - 1]).is_err());
        assert!(!header.may_begin(1_199));
    } else {
        assert!(!header.may_begin(bytes.len()));
    }
}
