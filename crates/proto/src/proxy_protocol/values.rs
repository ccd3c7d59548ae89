//! The values behind the addresses of version 2 (§2.2): type, length, content.

use super::checksum::crc32c;

/// What a header says about the connection besides its addresses. Values of other types are ignored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Values<'a> {
    /// The protocol that was agreed on by ALPN.
    pub alpn: Option<&'a [u8]>,
    /// The host that the client named: the server name of TLS.
    pub authority: Option<&'a str>,
    /// The sender's name for the connection, at most [`UNIQUE_ID_BYTES_MAX`] bytes.
    pub unique_id: Option<&'a [u8]>,
    pub ssl: Option<Ssl<'a>>,
}

/// How the client's connection was secured (§2.2.5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ssl<'a> {
    /// The client connected by TLS.
    pub is_tls: bool,
    /// The client sent a certificate on this connection.
    pub has_certificate: bool,
    /// The client sent a certificate in this TLS session, or one that it resumes.
    pub has_session_certificate: bool,
    /// True if the client sent a certificate that was verified.
    pub is_verified: bool,
    /// Such as `TLSv1.3`.
    pub version: Option<&'a str>,
    /// The common name of the client's certificate.
    pub common_name: Option<&'a str>,
    pub cipher: Option<&'a str>,
}

/// Checks the values in `rest`, the end of `header`.
pub(super) fn check(rest: &[u8], header: &[u8]) -> Result<(), &'static str> {
    let mut is_sealed = false;
    read(rest, |value, after| {
        // limit: one walk over the header.
        if std::mem::replace(&mut is_sealed, true) {
            return Err("several checksums");
        }
        let sum = <[u8; 4]>::try_from(value).map_err(|_| "checksum of another length")?;
        let place = header.len() - after.len() - sum.len();
        if crc32c(header, place) == u32::from_be_bytes(sum) { Ok(()) } else { Err("wrong checksum") }
    })?;
    Ok(())
}

/// The values in `rest` that [`check`] has accepted.
pub(super) fn checked(rest: &[u8]) -> Values<'_> {
    read(rest, |_, _| Ok(())).unwrap_or_default()
}

/// `check_sum` gets the checksum and what follows it.
fn read<'a>(
    mut rest: &'a [u8],
    mut check_sum: impl FnMut(&[u8], &[u8]) -> Result<(), &'static str>,
) -> Result<Values<'a>, &'static str> {
    let mut values = Values::default();
    while let Some((kind, value, after)) = next(rest)? {
        match kind {
            ALPN => once(&mut values.alpn, value)?,
            AUTHORITY => once(&mut values.authority, text(value)?)?,
            UNIQUE_ID if value.len() > UNIQUE_ID_BYTES_MAX => return Err("unique id too long"),
            UNIQUE_ID => once(&mut values.unique_id, value)?,
            SSL => once(&mut values.ssl, ssl(value)?)?,
            CRC32C => check_sum(value, after)?,
            _ => {}
        }
        rest = after;
    }
    Ok(values)
}

fn ssl(value: &[u8]) -> Result<Ssl<'_>, &'static str> {
    let Some((&[client, verify @ ..], mut rest)) = value.split_first_chunk::<5>() else {
        return Err("SSL value too short");
    };
    let has = |bit: u8| client & bit != 0;
    let has_session_certificate = has(CERTIFICATE_IN_SESSION);
    let mut ssl = Ssl {
        is_tls: has(BY_TLS),
        has_certificate: has(CERTIFICATE_ON_CONNECTION),
        has_session_certificate,
        // Zero also means that there was no certificate.
        is_verified: verify == [0; 4] && (has_session_certificate || has(CERTIFICATE_ON_CONNECTION)),
        ..Ssl::default()
    };
    while let Some((kind, value, after)) = next(rest)? {
        match kind {
            SSL_VERSION => once(&mut ssl.version, text(value)?)?,
            SSL_COMMON_NAME => once(&mut ssl.common_name, text(value)?)?,
            SSL_CIPHER => once(&mut ssl.cipher, text(value)?)?,
            _ => {}
        }
        rest = after;
    }
    Ok(ssl)
}

/// Type and content of the first value, and what follows it.
#[expect(clippy::type_complexity, reason = "two parts of the same slice")]
fn next(rest: &[u8]) -> Result<Option<(u8, &[u8], &[u8])>, &'static str> {
    let Some((&kind, after)) = rest.split_first() else { return Ok(None) };
    let (&length, after) = after.split_first_chunk().ok_or(CUT)?;
    let (value, after) = after.split_at_checked(u16::from_be_bytes(length).into()).ok_or(CUT)?;
    Ok(Some((kind, value, after)))
}

fn text(value: &[u8]) -> Result<&str, &'static str> {
    std::str::from_utf8(value).map_err(|_| "value is not UTF-8")
}

fn once<T>(found: &mut Option<T>, value: T) -> Result<(), &'static str> {
    match found.replace(value) {
        None => Ok(()),
        Some(_) => Err("several values of one type"),
    }
}

pub(super) const ALPN: u8 = 0x01;
pub(super) const AUTHORITY: u8 = 0x02;
pub(super) const CRC32C: u8 = 0x03;
pub(super) const UNIQUE_ID: u8 = 0x05;
pub(super) const SSL: u8 = 0x20;
pub(super) const SSL_VERSION: u8 = 0x21;
pub(super) const SSL_COMMON_NAME: u8 = 0x22;
pub(super) const SSL_CIPHER: u8 = 0x23;
pub(super) const BY_TLS: u8 = 1;
pub(super) const CERTIFICATE_ON_CONNECTION: u8 = 2;
pub(super) const CERTIFICATE_IN_SESSION: u8 = 4;
// limit: as specified (§2.2.4).
pub(super) const UNIQUE_ID_BYTES_MAX: usize = 128;
pub(super) const CUT: &str = "value beyond the header's end";
