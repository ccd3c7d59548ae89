//! Version 2: a block of known length with the addresses, followed by values as type, length and content.

use std::net::{IpAddr, SocketAddr};

use super::values;
use super::{Ends, HEADER_BYTES_MAX, Progress, Told};

pub(super) const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

pub(super) fn parse(bytes: &[u8]) -> Result<Progress, &'static str> {
    let Some((&[version, family], rest)) = bytes.get(SIGNATURE.len()..).and_then(<[u8]>::split_first_chunk)
    else {
        return Ok(Progress::NeedMore);
    };
    if version >> 4 != 2 {
        return Err("unknown version");
    }
    let command = version & 15;
    if command > PROXY {
        return Err("unknown command");
    }
    let Some((&length, rest)) = rest.split_first_chunk() else { return Ok(Progress::NeedMore) };
    let length = usize::from(u16::from_be_bytes(length));
    let header_bytes = SIGNATURE.len() + 4 + length;
    if header_bytes > HEADER_BYTES_MAX {
        return Err("header too long");
    }
    let Some(block) = rest.get(..length) else { return Ok(Progress::NeedMore) };
    // Whatever the block contains, the connection is the sender's own.
    let told = if command == PROXY { told(family, block, &bytes[..header_bytes])? } else { Told::Own };
    Ok(Progress::Complete { told, header_bytes })
}

fn told(family: u8, block: &[u8], header: &[u8]) -> Result<Told, &'static str> {
    if family & 15 > DATAGRAM {
        return Err("unknown transport");
    }
    let (ends, rest) = match family >> 4 {
        // The format of the block is unspecified, including where the addresses end.
        UNSPEC => return Ok(Told::Unknown),
        INET => take::<4, INET_BYTES>(block)?,
        INET6 => take::<16, INET6_BYTES>(block)?,
        UNIX => (None, block.get(UNIX_BYTES..).ok_or(SHORT)?),
        _ => return Err("unknown address family"),
    };
    values::check(rest, header)?;
    // A TCP connection cannot have arrived as anything else.
    Ok(ends.filter(|_| family & 15 == STREAM).map_or(Told::Unknown, Told::Ends))
}

/// The values of a complete header that [`parse`] has accepted.
pub(super) fn rest(header: &[u8]) -> &[u8] {
    let addresses = match header.strip_prefix(SIGNATURE) {
        // Those of a connection of the sender's own do not count.
        Some([version, family, ..]) if version & 15 == PROXY => match family >> 4 {
            INET => INET_BYTES,
            INET6 => INET6_BYTES,
            UNIX => UNIX_BYTES,
            _ => return &[],
        },
        _ => return &[],
    };
    header.get(SIGNATURE.len() + 4 + addresses..).unwrap_or_default()
}

/// Two addresses of `N` bytes and two ports, `ALL` bytes in total; and the bytes after them.
fn take<const N: usize, const ALL: usize>(block: &[u8]) -> Result<(Option<Ends>, &[u8]), &'static str>
where
    IpAddr: From<[u8; N]>,
{
    let (addresses, rest) = block.split_first_chunk::<ALL>().ok_or(SHORT)?;
    let (source, addresses) = addresses.split_first_chunk::<N>().ok_or(SHORT)?;
    let (destination, ports) = addresses.split_first_chunk::<N>().ok_or(SHORT)?;
    let [a, b, c, d] = *ports else { return Err(SHORT) };
    let end = |address, port| SocketAddr::new(IpAddr::from(address).to_canonical(), u16::from_be_bytes(port));
    Ok((Some(Ends { source: end(*source, [a, b]), destination: end(*destination, [c, d]) }), rest))
}

pub(super) const PROXY: u8 = 1;
pub(super) const UNSPEC: u8 = 0;
pub(super) const INET: u8 = 1;
pub(super) const INET6: u8 = 2;
const UNIX: u8 = 3;
const INET_BYTES: usize = 12;
const INET6_BYTES: usize = 36;
const UNIX_BYTES: usize = 216;
pub(super) const STREAM: u8 = 1;
pub(super) const DATAGRAM: u8 = 2;
const SHORT: &str = "addresses shorter than their family";

#[cfg(test)]
mod tests {
    use super::super::checksum::crc32c;
    use super::super::values::{CRC32C, CUT};
    use super::*;

    const V4: &[u8] = &[192, 0, 2, 1, 198, 51, 100, 7, 0xdc, 4, 1, 187];

    fn header(version: u8, family: u8, block: &[u8]) -> Vec<u8> {
        let length = u16::try_from(block.len()).unwrap().to_be_bytes();
        [SIGNATURE, &[version, family], &length, block].concat()
    }

    fn ends_of(version: u8, family: u8, block: &[u8]) -> Result<Option<String>, &'static str> {
        let bytes = header(version, family, block);
        match parse(&[&bytes, &b"GET / "[..]].concat())? {
            Progress::Complete { told, header_bytes } => {
                assert_eq!(header_bytes, bytes.len());
                Ok(match told {
                    Told::Ends(ends) => Some(format!("{} {}", ends.source, ends.destination)),
                    Told::Unknown => None,
                    Told::Own => Some("own".to_owned()),
                })
            }
            Progress::NeedMore => panic!("{bytes:?}"),
        }
    }

    fn value(kind: u8, value: &[u8]) -> Vec<u8> {
        [&[kind][..], &u16::try_from(value.len()).unwrap().to_be_bytes(), value].concat()
    }

    /// A header for [`V4`] with a correct checksum.
    fn sealed() -> Vec<u8> {
        let mut bytes = header(0x21, 0x11, &[V4, &value(4, b"noop"), &value(CRC32C, &[0; 4])].concat());
        let place = bytes.len() - 4;
        let sum = crc32c(&bytes, place).to_be_bytes();
        bytes[place..].copy_from_slice(&sum);
        bytes
    }

    #[test]
    fn both_ends_are_read() {
        let v6 = [&[0x20, 1, 0xd, 0xb8][..], &[0; 11], &[1], &[0; 15], &[1], &[0, 1, 0, 2]].concat();
        let mapped =
            [&[0; 10][..], &[255; 2], &V4[..4], &[0; 10], &[255; 2], &V4[4..8], &[0, 1, 0, 2]].concat();
        let v4 = Some("192.0.2.1:56324 198.51.100.7:443");
        for (version, family, block, expected) in [
            (0x21, 0x11, V4.to_vec(), v4),
            (0x21, 0x11, [V4, &value(1, b"h2"), &value(0xe0, &[])].concat(), v4),
            (0x21, 0x21, v6.clone(), Some("[2001:db8::1]:1 [::1]:2")),
            (0x21, 0x21, mapped, Some("192.0.2.1:1 198.51.100.7:2")),
            // Not TCP over IP.
            (0x21, 0x12, V4.to_vec(), None),
            (0x21, 0x22, v6, None),
            (0x21, 0x10, V4.to_vec(), None),
            (0x21, 0x31, vec![b'/'; 216], None),
            (0x21, 0x32, [&[0; 216][..], &value(4, &[])].concat(), None),
            (0x21, 0x00, Vec::new(), None),
            (0x21, 0x00, vec![255; 100], None),
            (0x21, 0x01, vec![1], None),
            // The proxy's own connection: only the length counts.
            (0x20, 0x00, Vec::new(), Some("own")),
            (0x20, 0x11, V4.to_vec(), Some("own")),
            (0x20, 0xff, vec![255; 7], Some("own")),
        ] {
            assert_eq!(
                ends_of(version, family, &block).unwrap().as_deref(),
                expected,
                "{family:x} {block:?}"
            );
        }
    }

    #[test]
    fn malformed_headers_are_refused() {
        for (version, family, block, detail) in [
            (0x11, 0x11, V4.to_vec(), "unknown version"),
            (0x31, 0x11, V4.to_vec(), "unknown version"),
            (0x22, 0x11, V4.to_vec(), "unknown command"),
            (0x2f, 0x11, V4.to_vec(), "unknown command"),
            (0x21, 0x13, V4.to_vec(), "unknown transport"),
            (0x21, 0x41, vec![0; 300], "unknown address family"),
            (0x21, 0x11, V4[..11].to_vec(), SHORT),
            (0x21, 0x21, vec![0; 35], SHORT),
            (0x21, 0x31, vec![0; 215], SHORT),
            (0x21, 0x11, [V4, &[4]].concat(), CUT),
            (0x21, 0x11, [V4, &[4, 0, 2, 1]].concat(), CUT),
            (0x21, 0x11, [V4, &value(CRC32C, &[0; 3])].concat(), "checksum of another length"),
            (0x21, 0x11, [V4, &value(CRC32C, &[0; 4])].concat(), "wrong checksum"),
        ] {
            assert_eq!(ends_of(version, family, &block), Err(detail), "{version:x} {family:x} {block:?}");
        }
    }

    #[test]
    fn a_second_checksum_is_refused() {
        let mut bytes = header(0x21, 0x11, &[V4, &value(CRC32C, &[0; 4]), &value(CRC32C, &[0; 4])].concat());
        let place = SIGNATURE.len() + 4 + V4.len() + 3;
        let sum = crc32c(&bytes, place).to_be_bytes();
        bytes[place..place + 4].copy_from_slice(&sum);
        assert_eq!(parse(&bytes), Err("several checksums"));
    }

    #[test]
    fn a_checksum_covers_every_byte() {
        let bytes = sealed();
        assert!(matches!(parse(&bytes), Ok(Progress::Complete { told: Told::Ends(_), .. })));
        // The addresses; a changed type or length may hide the checksum itself.
        for place in SIGNATURE.len() + 4..SIGNATURE.len() + 4 + V4.len() {
            for bit in 0..8 {
                let mut other = bytes.clone();
                other[place] ^= 1 << bit;
                assert_eq!(parse(&other), Err("wrong checksum"), "{place}");
            }
        }
    }

    #[test]
    fn the_length_has_a_limit() {
        let most = HEADER_BYTES_MAX - SIGNATURE.len() - 4;
        assert_eq!(ends_of(0x20, 0, &vec![0; most]), Ok(Some("own".to_owned())));
        let over = header(0x20, 0, &vec![0; most + 1]);
        assert_eq!(parse(&over), Err("header too long"));
        assert_eq!(parse(&over[..16]), Err("header too long"), "before the rest has arrived");
    }
}
