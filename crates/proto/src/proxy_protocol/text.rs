//! Version 1: one line of text.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use super::{Ends, Progress, Told};
use crate::http1::token;

pub(super) const START: &[u8] = b"PROXY ";

pub(super) fn parse(bytes: &[u8]) -> Result<Progress, &'static str> {
    let seen = &bytes[..bytes.len().min(LINE_BYTES_MAX)];
    let Some(end) = seen.iter().position(|&byte| byte == b'\n') else {
        return if seen.len() < LINE_BYTES_MAX { Ok(Progress::NeedMore) } else { Err("line too long") };
    };
    let line = seen[..end].strip_suffix(b"\r").ok_or("line ends without CR")?;
    let line = line.strip_prefix(START).ok_or("no protocol")?;
    Ok(Progress::Complete { told: told(line)?, header_bytes: end + 1 })
}

/// Reads the text after `PROXY `.
fn told(line: &[u8]) -> Result<Told, &'static str> {
    if line.contains(&b'\r') {
        return Err("CR within the line");
    }
    let line = std::str::from_utf8(line).map_err(|_| "not ASCII")?;
    match line.split_once(' ').unwrap_or((line, "")) {
        // The specification says to ignore the rest of the line.
        ("UNKNOWN", _) => Ok(Told::Unknown),
        ("TCP4", rest) => addresses::<Ipv4Addr>(rest).map(Told::Ends),
        ("TCP6", rest) => addresses::<Ipv6Addr>(rest).map(Told::Ends),
        _ => Err("unknown protocol"),
    }
}

fn addresses<A: FromStr + Into<IpAddr>>(text: &str) -> Result<Ends, &'static str> {
    let mut words = text.split(' ');
    let mut word = || words.next().ok_or("too few words");
    let (source, destination) = (address::<A>(word()?)?, address::<A>(word()?)?);
    let (source_port, destination_port) = (port(word()?)?, port(word()?)?);
    if words.next().is_some() {
        return Err("too many words");
    }
    Ok(Ends {
        source: SocketAddr::new(source, source_port),
        destination: SocketAddr::new(destination, destination_port),
    })
}

fn address<A: FromStr + Into<IpAddr>>(word: &str) -> Result<IpAddr, &'static str> {
    let address: A = word.parse().map_err(|_| "not an address of its family")?;
    Ok(address.into().to_canonical())
}

fn port(word: &str) -> Result<u16, &'static str> {
    let digits = word.as_bytes();
    let is_plain = digits.len() == 1 || digits.first() != Some(&b'0');
    let number = token::number(digits).filter(|_| is_plain).and_then(|number| u16::try_from(number).ok());
    number.ok_or("not a port")
}

// limit: the whole line with its CRLF, as specified.
const LINE_BYTES_MAX: usize = 107;

#[cfg(test)]
mod tests {
    use super::*;

    fn complete(line: &str) -> Result<Progress, &'static str> {
        parse(format!("PROXY {line}\r\n").as_bytes())
    }

    fn source(line: &str) -> Option<String> {
        match complete(line).unwrap() {
            Progress::Complete { told, header_bytes } => {
                assert_eq!(header_bytes, "PROXY \r\n".len() + line.len());
                match told {
                    Told::Ends(ends) => Some(format!("{} {}", ends.source, ends.destination)),
                    Told::Unknown => None,
                    Told::Own => panic!("{line}"),
                }
            }
            Progress::NeedMore => panic!("{line}"),
        }
    }

    #[test]
    fn both_ends_are_read() {
        for (line, expected) in [
            ("TCP4 192.0.2.1 198.51.100.7 56324 443", Some("192.0.2.1:56324 198.51.100.7:443")),
            ("TCP4 0.0.0.0 255.255.255.255 0 65535", Some("0.0.0.0:0 255.255.255.255:65535")),
            ("TCP6 2001:db8::1 ::1 1 2", Some("[2001:db8::1]:1 [::1]:2")),
            ("TCP6 ::ffff:192.0.2.1 ::ffff:c633:6407 1 2", Some("192.0.2.1:1 198.51.100.7:2")),
            ("UNKNOWN", None),
            ("UNKNOWN ", None),
            ("UNKNOWN ff:ff:: whatever 0 -1", None),
        ] {
            assert_eq!(source(line).as_deref(), expected, "{line}");
        }
    }

    #[test]
    fn a_line_of_107_bytes_is_the_longest() {
        let full = "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff";
        let longest = format!("UNKNOWN {full} {full} 65535 65535");
        assert_eq!(longest.len() + "PROXY \r\n".len(), LINE_BYTES_MAX);
        assert_eq!(source(&longest), None);
        assert_eq!(complete(&format!("{longest}0")), Err("line too long"));
        assert_eq!(parse(&[START, &[b'x'; 100]].concat()), Ok(Progress::NeedMore));
        assert_eq!(parse(&[START, &[b'x'; 101]].concat()), Err("line too long"));
    }

    #[test]
    fn malformed_lines_are_refused() {
        for (line, detail) in [
            ("TCP4 192.0.2.1 198.51.100.7 56324", "too few words"),
            ("TCP4 192.0.2.1 198.51.100.7 56324 443 ", "too many words"),
            ("TCP4  192.0.2.1 198.51.100.7 56324 443", "not an address of its family"),
            ("TCP4 192.0.2.01 198.51.100.7 56324 443", "not an address of its family"),
            ("TCP4 192.0.2.256 198.51.100.7 56324 443", "not an address of its family"),
            ("TCP4 2001:db8::1 ::1 1 2", "not an address of its family"),
            ("TCP6 192.0.2.1 198.51.100.7 1 2", "not an address of its family"),
            ("TCP6 fe80::1%eth0 ::1 1 2", "not an address of its family"),
            ("TCP4 192.0.2.1 198.51.100.7 056324 443", "not a port"),
            ("TCP4 192.0.2.1 198.51.100.7 65536 443", "not a port"),
            ("TCP4 192.0.2.1 198.51.100.7 +1 443", "not a port"),
            ("TCP4 192.0.2.1 198.51.100.7 -1 443", "not a port"),
            ("TCP4 192.0.2.1 198.51.100.7 1 ", "not a port"),
            ("TCP4", "not an address of its family"),
            ("tcp4 192.0.2.1 198.51.100.7 1 2", "unknown protocol"),
            ("UDP4 192.0.2.1 198.51.100.7 1 2", "unknown protocol"),
            ("UNKNOWNS", "unknown protocol"),
            ("", "unknown protocol"),
            ("UNKNOWN\rx", "CR within the line"),
            ("UNKNOWN\nx", "line ends without CR"),
        ] {
            assert_eq!(complete(line), Err(detail), "{line:?}");
        }
    }
}
