//! Reads the ClientHello that opens a TLS connection (RFC 8446 §4.1.2) before any state is made for it: the requested
//! name, the offered versions and protocols. It checks nothing else, because the TLS stack reads the same bytes again.

/// What a ClientHello says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientHello {
    /// The server name (RFC 6066 §3), in lower case and without a trailing dot. `None`: no name, or an IP address.
    pub server_name: Option<String>,
    /// There is a name that is none of a host, such as one in another encoding. Real clients send such names.
    pub has_other_name: bool,
    pub offers_tls12: bool,
    pub offers_tls13: bool,
    /// The protocols that it offers (RFC 7301 §3.1), each with a one-byte length prefix.
    alpn: Vec<u8>,
}

impl ClientHello {
    /// The protocols that the client offers, the most wanted first, such as `h2`. Empty: it does not use ALPN.
    pub fn protocols(&self) -> impl Iterator<Item = &[u8]> {
        let mut list = Reader(&self.alpn);
        std::iter::from_fn(move || list.vector8())
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Peek {
    NeedMore,
    Complete(ClientHello),
    /// The first bytes are a plain-text request.
    PlainHttp,
    /// End the connection with this alert.
    Refused(Alert, &'static str),
}

/// Alerts that we may send (RFC 8446 §6.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alert {
    UnexpectedMessage = 10,
    RecordOverflow = 22,
    IllegalParameter = 47,
    DecodeError = 50,
    ProtocolVersion = 70,
    InternalError = 80,
    UnrecognizedName = 112,
    NoApplicationProtocol = 120,
}

impl Alert {
    /// The alert as a record in plain text: no keys are agreed yet.
    pub fn record(self) -> [u8; 7] {
        [ALERT, 3, 3, 0, 2, FATAL, self as u8]
    }
}

/// Reads all bytes that have arrived so far.
pub fn peek(bytes: &[u8]) -> Peek {
    match bytes.first() {
        None => Peek::NeedMore,
        Some(&HANDSHAKE) => records(bytes),
        Some(byte) if byte.is_ascii_alphabetic() => Peek::PlainHttp,
        Some(_) => Peek::Refused(Alert::UnexpectedMessage, "not a TLS handshake"),
    }
}

/// Reassembles the message, which may be split into records at any byte.
fn records(mut bytes: &[u8]) -> Peek {
    let mut message = Vec::new();
    loop {
        let Some((head, rest)) = bytes.split_at_checked(RECORD_HEAD_BYTES) else { return Peek::NeedMore };
        if head[0] != HANDSHAKE || head[1] != 3 {
            return Peek::Refused(Alert::UnexpectedMessage, "not a record of a handshake");
        }
        let len = usize::from(u16::from_be_bytes([head[3], head[4]]));
        if len == 0 || len > RECORD_BYTES_MAX {
            return Peek::Refused(Alert::RecordOverflow, "a record that is empty or too large");
        }
        message.extend_from_slice(&rest[..len.min(rest.len())]);
        if let Some(&kind) = message.first()
            && kind != CLIENT_HELLO
        {
            return Peek::Refused(Alert::UnexpectedMessage, "not a ClientHello");
        }
        if let Some(peek) = whole(&message) {
            return peek;
        }
        match rest.get(len..) {
            Some(next) => bytes = next,
            None => return Peek::NeedMore,
        }
    }
}

/// `None`: the message is incomplete.
fn whole(message: &[u8]) -> Option<Peek> {
    let (head, rest) = message.split_at_checked(MESSAGE_HEAD_BYTES)?;
    let len = usize::from(head[1]) << 16 | usize::from(head[2]) << 8 | usize::from(head[3]);
    if len > MESSAGE_BYTES_MAX {
        return Some(Peek::Refused(Alert::IllegalParameter, "a ClientHello that is too large"));
    }
    let body = rest.get(..len)?;
    Some(match hello(&mut Reader(body)) {
        Some(Ok(hello)) => Peek::Complete(hello),
        Some(Err(detail)) => Peek::Refused(Alert::IllegalParameter, detail),
        None => Peek::Refused(Alert::DecodeError, "a ClientHello that cannot be read"),
    })
}

fn hello(body: &mut Reader<'_>) -> Option<Result<ClientHello, &'static str>> {
    let legacy_version = body.u16()?;
    body.take(RANDOM_BYTES)?;
    body.vector8()?;
    body.vector16()?;
    body.vector8()?;
    let mut found = ClientHello {
        server_name: None,
        has_other_name: false,
        // Without `supported_versions` this is the highest version that the client offers.
        offers_tls12: legacy_version >= TLS12,
        offers_tls13: false,
        alpn: Vec::new(),
    };
    // RFC 5246 §7.4.1.2: the extensions may be absent.
    if body.0.is_empty() {
        return Some(Ok(found));
    }
    let mut extensions = Reader(body.vector16()?);
    let mut has_name = false;
    while !extensions.0.is_empty() {
        let (kind, data) = (extensions.u16()?, extensions.vector16()?);
        match kind {
            SERVER_NAME if has_name => return Some(Err("two server names")),
            SERVER_NAME => {
                has_name = true;
                match server_name(&mut Reader(data))? {
                    Ok(Name::Host(name)) => found.server_name = Some(name),
                    Ok(Name::Other) => found.has_other_name = true,
                    Ok(Name::None) => {}
                    Err(detail) => return Some(Err(detail)),
                }
            }
            SUPPORTED_VERSIONS => {
                let versions = Reader(data).vector8()?;
                let offers =
                    |version: u16| versions.chunks_exact(2).any(|pair| pair == version.to_be_bytes());
                (found.offers_tls12, found.offers_tls13) = (offers(TLS12), offers(TLS13));
            }
            ALPN if !found.alpn.is_empty() => return Some(Err("two lists of protocols")),
            ALPN => found.alpn.extend_from_slice(protocol_list(&mut Reader(data))?),
            _ => {}
        }
    }
    body.0.is_empty().then_some(Ok(found))
}

/// RFC 7301 §3.1: a list of names, none of which is empty.
fn protocol_list<'a>(data: &mut Reader<'a>) -> Option<&'a [u8]> {
    let list = data.vector16()?;
    let mut names = Reader(list);
    while !names.0.is_empty() {
        names.vector8().filter(|name| !name.is_empty())?;
    }
    (data.0.is_empty() && !list.is_empty()).then_some(list)
}

/// RFC 6066 §3: a list. Only one kind of name was ever defined, and only one name of a kind may be in it.
fn server_name(data: &mut Reader<'_>) -> Option<Result<Name, &'static str>> {
    let mut list = Reader(data.vector16()?);
    if list.0.is_empty() || !data.0.is_empty() {
        return None;
    }
    let mut found = None;
    while !list.0.is_empty() {
        let (kind, name) = (list.take(1)?[0], list.vector16()?);
        if kind != HOST_NAME {
            continue;
        }
        if name.is_empty() {
            return None;
        }
        if found.is_some() {
            return Some(Err("two server names"));
        }
        found = Some(match host_name(name) {
            // Some clients send an IP address, which is not a name (RFC 6066 §3). It is ignored.
            Some(name) if name.parse::<std::net::IpAddr>().is_ok() => Name::None,
            Some(name) => Name::Host(name),
            None => Name::Other,
        });
    }
    Some(Ok(found.unwrap_or(Name::None)))
}

enum Name {
    None,
    Host(String),
    Other,
}

fn host_name(name: &[u8]) -> Option<String> {
    let name = name.strip_suffix(b".").unwrap_or(name);
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b':');
    if name.is_empty() || name.len() > HOST_NAME_BYTES_MAX || !name.iter().all(is_plain) {
        return None;
    }
    if name.split(|&byte| byte == b'.').any(<[u8]>::is_empty) {
        return None;
    }
    String::from_utf8(name.to_ascii_lowercase()).ok()
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn u16(&mut self) -> Option<u16> {
        self.take(2).map(|bytes| u16::from_be_bytes([bytes[0], bytes[1]]))
    }

    /// Reads a value with a one-byte length prefix.
    fn vector8(&mut self) -> Option<&'a [u8]> {
        let len = self.take(1)?[0];
        self.take(len.into())
    }

    /// Reads a value with a two-byte length prefix.
    fn vector16(&mut self) -> Option<&'a [u8]> {
        let len = self.u16()?;
        self.take(len.into())
    }
}

/// The first byte of a TLS connection: the type of its first record.
pub const HANDSHAKE: u8 = 22;
const ALERT: u8 = 21;
const FATAL: u8 = 2;
const CLIENT_HELLO: u8 = 1;
const TLS12: u16 = 0x0303;
const TLS13: u16 = 0x0304;
const SERVER_NAME: u16 = 0;
const ALPN: u16 = 16;
const SUPPORTED_VERSIONS: u16 = 43;
const HOST_NAME: u8 = 0;
const RANDOM_BYTES: usize = 32;
const RECORD_HEAD_BYTES: usize = 5;
const MESSAGE_HEAD_BYTES: usize = 4;
/// RFC 8446 §5.1.
const RECORD_BYTES_MAX: usize = 1 << 14;
// limit: real ones have 200 to 2,000 bytes, including post-quantum key shares.
const MESSAGE_BYTES_MAX: usize = 16 << 10;
/// RFC 1035 §2.3.4.
const HOST_NAME_BYTES_MAX: usize = 253;
