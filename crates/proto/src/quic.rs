//! The part of a QUIC packet that a load balancer may read: its connection ids (RFC 8999).
//!
//! Only what all versions have in common is relied on, so packets of later versions find their server too. Everything behind the
//! connection ids is encrypted or belongs to the server. A datagram may contain several packets; all of them have the same
//! destination, so the first one says it (RFC 9000 §12.2).

/// The header of the first packet of a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Header<'a> {
    Long(LongHeader<'a>),
    /// The destination's connection id is at the start of these bytes. Only the server that has chosen it knows its length.
    Short(&'a [u8]),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LongHeader<'a> {
    pub version: u32,
    pub kind: Kind,
    /// The connection id by which the receiver knows the connection. The first packets of a client have a random one.
    pub destination: &'a [u8],
    /// The connection id by which the sender wants to be addressed.
    pub source: &'a [u8],
}

/// What a packet with a long header is, where its version is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Initial,
    ZeroRtt,
    Handshake,
    Retry,
    /// The server knows none of the client's versions.
    VersionNegotiation,
    /// The version is not known here.
    Other,
}

/// Where servers write their id in the connection ids that they choose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerIdPlace {
    offset: u8,
    length: u8,
}

/// Reads the header; an error says why the datagram is not of QUIC.
pub fn parse(datagram: &[u8]) -> Result<Header<'_>, &'static str> {
    let (&first, rest) = datagram.split_first().ok_or("empty datagram")?;
    if first & LONG == 0 {
        return if rest.is_empty() { Err(CUT) } else { Ok(Header::Short(rest)) };
    }
    let (&version, rest) = rest.split_first_chunk().ok_or(CUT)?;
    let version = u32::from_be_bytes(version);
    let (destination, rest) = id(rest)?;
    let (source, _) = id(rest)?;
    let kind = Kind::of(version, first);
    if matches!(version, V1 | V2) && destination.len().max(source.len()) > ID_BYTES_MAX {
        return Err("connection id too long");
    }
    Ok(Header::Long(LongHeader { version, kind, destination, source }))
}

impl<'a> Header<'a> {
    /// The destination's connection id; `length` is that of the ids that its servers choose. `None`: a packet with a short
    /// header has fewer bytes.
    pub fn destination(&self, length: usize) -> Option<&'a [u8]> {
        match self {
            Self::Long(long) => Some(long.destination),
            Self::Short(after) => after.get(..length),
        }
    }

    /// The server's id. In the first packets of a client it is as random as the rest of the connection id. `None`: the connection
    /// id is too short.
    pub fn server_id(&self, place: ServerIdPlace) -> Option<&'a [u8]> {
        let id = match self {
            Self::Long(long) => long.destination,
            Self::Short(after) => after,
        };
        let offset = usize::from(place.offset);
        id.get(offset..offset + usize::from(place.length))
    }

    /// True if a client may begin a connection with this datagram of `bytes` (RFC 9000 §7.2, §14.1). Servers ignore smaller ones,
    /// so that they cannot be made to send more than they receive.
    pub fn may_begin(&self, bytes: usize) -> bool {
        let Self::Long(long) = self else { return false };
        let is_first = matches!(long.kind, Kind::Initial | Kind::ZeroRtt)
            && long.destination.len() >= FIRST_ID_BYTES_MIN;
        // A server answers an unknown version with those that it knows.
        (is_first || long.kind == Kind::Other) && bytes >= FIRST_DATAGRAM_BYTES_MIN
    }
}

impl ServerIdPlace {
    /// `None`: the id is empty, or beyond the longest connection id.
    pub fn new(offset: u8, length: u8) -> Option<Self> {
        let is_within = usize::from(offset) + usize::from(length) <= ID_BYTES_MAX;
        (length > 0 && is_within).then_some(Self { offset, length })
    }
}

impl Kind {
    fn of(version: u32, first: u8) -> Self {
        let number = first >> 4 & 3;
        let kinds = [Self::Initial, Self::ZeroRtt, Self::Handshake, Self::Retry];
        match version {
            0 => Self::VersionNegotiation,
            V1 => kinds[usize::from(number)],
            // RFC 9369 §3.2: the same in another order.
            V2 => kinds[usize::from(number.wrapping_sub(1) & 3)],
            _ => Self::Other,
        }
    }
}

/// A connection id with a one-byte length prefix, and what follows it.
fn id(bytes: &[u8]) -> Result<(&[u8], &[u8]), &'static str> {
    let (&length, rest) = bytes.split_first().ok_or(CUT)?;
    rest.split_at_checked(length.into()).ok_or(CUT)
}

const LONG: u8 = 0x80;
const V1: u32 = 1;
/// RFC 9369 §3.1.
const V2: u32 = 0x6b33_43cf;
/// RFC 9000 §17.2. Other versions may have up to 255.
const ID_BYTES_MAX: usize = 20;
const FIRST_ID_BYTES_MIN: usize = 8;
const FIRST_DATAGRAM_BYTES_MIN: usize = 1_200;
const CUT: &str = "header beyond the datagram's end";
