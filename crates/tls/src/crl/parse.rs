//! Parses a CRL (RFC 5280 §5.1). There are two passes over the entries: one to count and check them, one to store them.

use super::error::CrlError;
use super::scope::Scope;
use super::serials::{Serials, serial};
use super::{Crl, Serial};
use crate::asn1::{
    self, CONTEXT_0, GENERALIZED_TIME, INTEGER, Malformed, Reader, SEQUENCE, Signed, UTC_TIME,
};
use crate::identity::name;

/// The caller computes the digest.
pub(super) fn list(signed: &Signed<'_>) -> Result<Crl, CrlError> {
    let mut tbs = signed.message.reader();
    if tbs.optional(INTEGER)?.is_some_and(|version| version.content != [VERSION_2]) {
        return Err(CrlError::Version);
    }
    if tbs.expect(SEQUENCE)?.content != signed.algorithm {
        return Err(CrlError::Malformed);
    }
    let issuer = tbs.expect(SEQUENCE)?.content.to_vec();
    let this_update = asn1::seconds(&tbs.read()?)?;
    let next_update = match tbs.optional(UTC_TIME)? {
        Some(time) => Some(time),
        None => tbs.optional(GENERALIZED_TIME)?,
    };
    let next_update = next_update.as_ref().map(asn1::seconds).transpose()?;
    let serials = match tbs.optional(SEQUENCE)? {
        Some(entries) => entry_serials(entries.content)?,
        None => Serials::default(),
    };
    let mut crl = Crl {
        issuer,
        this_update,
        next_update,
        number: None,
        scope: Scope::default(),
        serials,
        digest: [0; 32],
    };
    if let Some(extensions) = tbs.optional(CONTEXT_0)? {
        let mut reader = extensions.reader();
        read_extensions(&mut crl, reader.expect(SEQUENCE)?.content)?;
        reader.end()?;
    }
    tbs.end()?;
    Ok(crl)
}

fn entry_serials(entries: &[u8]) -> Result<Serials, CrlError> {
    let mut count = 0;
    each_entry(entries, |_| count += 1)?;
    let mut serials = Serials::with_capacity(count);
    each_entry(entries, |serial| serials.push(serial))?;
    serials.sort();
    Ok(serials)
}

fn each_entry(entries: &[u8], mut visit: impl FnMut(Serial)) -> Result<(), CrlError> {
    let mut entries = Reader::new(entries);
    while !entries.is_empty() {
        let mut entry = entries.expect(SEQUENCE)?.reader();
        let serial = serial(entry.expect(INTEGER)?.content).ok_or(CrlError::Serial)?;
        // The date of revocation does not matter: an entry counts even if its date is in the future.
        if !matches!(entry.read()?.tag, UTC_TIME | GENERALIZED_TIME) {
            return Err(CrlError::Malformed);
        }
        if let Some(extensions) = entry.optional(SEQUENCE)? {
            check_entry_extensions(extensions.content)?;
        }
        entry.end()?;
        visit(serial);
    }
    Ok(())
}

fn check_entry_extensions(extensions: &[u8]) -> Result<(), CrlError> {
    asn1::each_extension(extensions, |extension| match extension.id {
        REASON_CODE | INVALIDITY_DATE | HOLD_INSTRUCTION => Ok(()),
        // The entry is about a certificate of another issuer.
        CERTIFICATE_ISSUER => Err(CrlError::Indirect),
        id if extension.is_critical => Err(CrlError::CriticalExtension(dotted(id))),
        _ => Ok(()),
    })
}

fn read_extensions(crl: &mut Crl, extensions: &[u8]) -> Result<(), CrlError> {
    asn1::each_extension(extensions, |extension| {
        match extension.id {
            CRL_NUMBER => {
                let number = Reader::new(extension.value).expect(INTEGER)?.content;
                crl.number = Some(serial(number).ok_or(CrlError::Malformed)?);
            }
            ISSUING_DISTRIBUTION_POINT => crl.scope = Scope::read(extension.value)?,
            DELTA_CRL_INDICATOR => return Err(CrlError::Delta),
            // Only helps to find the key; we try all keys with the issuer's name.
            AUTHORITY_KEY_IDENTIFIER => {}
            id if extension.is_critical => return Err(CrlError::CriticalExtension(dotted(id))),
            _ => {}
        }
        Ok(())
    })
}

fn dotted(id: &[u8]) -> String {
    name::dotted(id).unwrap_or_else(|Malformed| "(unreadable)".to_owned())
}

/// Versions are numbered from 0; a list of version 1 omits the field.
const VERSION_2: u8 = 1;

const CRL_NUMBER: &[u8] = &[0x55, 29, 20];
const REASON_CODE: &[u8] = &[0x55, 29, 21];
const HOLD_INSTRUCTION: &[u8] = &[0x55, 29, 23];
const INVALIDITY_DATE: &[u8] = &[0x55, 29, 24];
const DELTA_CRL_INDICATOR: &[u8] = &[0x55, 29, 27];
const ISSUING_DISTRIBUTION_POINT: &[u8] = &[0x55, 29, 28];
const CERTIFICATE_ISSUER: &[u8] = &[0x55, 29, 29];
const AUTHORITY_KEY_IDENTIFIER: &[u8] = &[0x55, 29, 35];
