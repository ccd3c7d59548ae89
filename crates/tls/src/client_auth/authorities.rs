//! Authorities that certificates are verified against: those of clients, which are read from a CA bundle here, and those
//! of targets.

use std::path::Path;

use rustls::DistinguishedName;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, TrustAnchor, UnixTime};
use webpki::VerifiedPath;

use super::problem::Problem;
use crate::asn1::{Malformed, Reader, SEQUENCE};
use crate::crl::sha256;
use crate::fields::Fields;
use crate::identity::name;
use crate::in_use::Ended;

/// Every certificate of a CA is a trust anchor, including intermediates: a chain may end at any of them. The others are
/// accepted from a peer that presents them itself, and certify nothing.
#[derive(Clone, Debug, Default)]
pub(crate) struct Authorities {
    /// Of those in `list` that may issue certificates.
    pub(super) anchors: Vec<TrustAnchor<'static>>,
    pub(super) list: Vec<Authority>,
}

#[derive(Clone, Debug)]
pub(crate) struct Authority {
    pub(super) subject: Vec<u8>,
    /// With its tag.
    pub(super) public_key: Vec<u8>,
    pub(super) not_before: i64,
    pub(super) not_after: i64,
    /// Whether it may issue certificates. webpki does not ask this of an anchor.
    pub(super) is_anchor: bool,
    pub(super) signs_crls: bool,
    pub(super) digest: [u8; 32],
    pub(super) certificate: CertificateDer<'static>,
    /// A CRL of another authority in the bundle revokes it.
    pub(super) is_revoked: bool,
}

impl Authority {
    pub(crate) fn name(&self) -> String {
        name::for_people(&self.subject)
    }

    pub(crate) fn kind(&self) -> &'static str {
        if self.is_anchor { "CA" } else { "certificate" }
    }

    pub(crate) fn has_ended(&self, now: i64) -> bool {
        self.not_after < now
    }

    /// Whether it may be trusted now. Returns until when.
    fn check(&self, now: UnixTime) -> Result<i64, webpki::Error> {
        let time = seconds(now);
        if self.is_revoked {
            Err(webpki::Error::CertRevoked)
        } else if self.has_ended(time) {
            Err(webpki::Error::CertExpired { time: now, not_after: unix_time(self.not_after) })
        } else if time < self.not_before {
            Err(webpki::Error::CertNotValidYet { time: now, not_before: unix_time(self.not_before) })
        } else {
            Ok(self.not_after)
        }
    }
}

impl Authorities {
    pub(super) fn read(path: &Path, bytes: &[u8], now: i64) -> Result<(Self, Vec<Problem>), Vec<Problem>> {
        let mut reading = Reading { path, problems: Vec::new(), now };
        let mut authorities = Self { anchors: Vec::new(), list: Vec::new() };
        if bytes.len() > BUNDLE_BYTES_MAX {
            let limit = BUNDLE_BYTES_MAX >> 20;
            reading.error(format_args!("longer than {limit} MiB"), "a CA bundle holds only CA certificates");
            return Err(reading.problems);
        }
        for (index, certificate) in reading.certificates(bytes).into_iter().enumerate() {
            reading.add(index + 1, certificate, &mut authorities);
        }
        if authorities.list.is_empty() && reading.problems.is_empty() {
            reading.error(
                format_args!("holds no certificate"),
                "give the certificates of the authorities that issue to your clients, as PEM or DER",
            );
        }
        if reading.problems.iter().any(|problem| problem.is_error) {
            return Err(reading.problems);
        }
        Ok((authorities, reading.problems))
    }

    /// Adds a certificate, unless it is there already.
    pub(crate) fn add(&mut self, certificate: CertificateDer<'static>) -> Result<(), Malformed> {
        let (anchor, authority, _) = read(certificate)?;
        if !self.has(&authority) {
            self.push(anchor, authority);
        }
        Ok(())
    }

    fn has(&self, authority: &Authority) -> bool {
        self.list.iter().any(|other| other.digest == authority.digest)
    }

    fn push(&mut self, anchor: TrustAnchor<'static>, authority: Authority) {
        if authority.is_anchor {
            self.anchors.push(anchor);
        }
        self.list.push(authority);
    }

    pub(crate) fn anchors(&self) -> &[TrustAnchor<'static>] {
        &self.anchors
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Authority> {
        self.list.iter()
    }

    pub(crate) fn tell_ended(&self, path: &Path, now: i64, ended: &mut Vec<Ended>) {
        ended.extend(self.list.iter().filter(|authority| authority.has_ended(now)).map(|authority| Ended {
            path: path.to_owned(),
            what: format!("{} {}", authority.kind(), authority.name()),
            not_after: u64::try_from(authority.not_after).unwrap_or(0),
        }));
    }

    /// Whether none of them is valid any more.
    pub(crate) fn have_ended(&self, now: i64) -> bool {
        self.list.iter().all(|authority| authority.has_ended(now))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Of all certificates.
    pub(crate) fn digests(&self) -> impl Iterator<Item = &[u8; 32]> {
        self.list.iter().map(|authority| &authority.digest)
    }

    /// Checks a certificate that is one of these itself, as a peer with a self-signed certificate presents it: that it is
    /// named is enough, if it is still valid. Returns until when. `None`: it is not one of them.
    pub(crate) fn check_named(
        &self,
        certificate: &CertificateDer<'_>,
        now: UnixTime,
    ) -> Option<Result<i64, webpki::Error>> {
        let named = self.list.iter().find(|authority| authority.certificate == *certificate);
        named.map(|authority| authority.check(now))
    }

    /// Checks the CA at the end of a path, which webpki reduces to a name and a key. Several certificates may have the
    /// same name and key, such as an old one and its renewal; one valid certificate is enough. Returns until when there is
    /// one.
    pub(crate) fn check_anchor(&self, path: &VerifiedPath<'_>, now: UnixTime) -> Result<i64, webpki::Error> {
        let (subject, key) = (&path.anchor().subject, webpki::spki_for_anchor(path.anchor()));
        let mut result = Err(webpki::Error::UnknownIssuer);
        for authority in self.list.iter().filter(|authority| authority.is_anchor) {
            if authority.subject != subject.as_ref() || authority.public_key != key.as_ref() {
                continue;
            }
            result = match (authority.check(now), result) {
                // A revoked key stays revoked in a renewed certificate.
                (Err(webpki::Error::CertRevoked), _) => return Err(webpki::Error::CertRevoked),
                (Ok(until), Ok(other)) => Ok(until.max(other)),
                (Err(_), Ok(until)) => Ok(until),
                (checked, Err(_)) => checked,
            };
        }
        result
    }

    /// The names that help a client to choose a certificate. Empty, which means any, if they are too many for a
    /// handshake.
    pub(super) fn hints(&self) -> Vec<DistinguishedName> {
        let mut hints: Vec<DistinguishedName> = Vec::new();
        let mut length = 0;
        for authority in &self.list {
            let hint = DistinguishedName::in_sequence(&authority.subject);
            if hints.iter().any(|other| other.as_ref() == hint.as_ref()) {
                continue;
            }
            length += hint.as_ref().len() + 2;
            if length > HINT_BYTES_MAX {
                return Vec::new();
            }
            hints.push(hint);
        }
        hints
    }
}

struct Reading<'a> {
    path: &'a Path,
    problems: Vec<Problem>,
    now: i64,
}

impl Reading<'_> {
    fn error(&mut self, what: std::fmt::Arguments<'_>, hint: &str) {
        self.problems.push(Problem::error(format!("{}: {what}", self.path.display()), hint));
    }

    fn warn(&mut self, what: std::fmt::Arguments<'_>, hint: &str) {
        self.problems.push(Problem::warning(format!("{}: {what}", self.path.display()), hint));
    }

    fn certificates(&mut self, bytes: &[u8]) -> Vec<CertificateDer<'static>> {
        let mut der = Reader::new(bytes);
        if der.expect(SEQUENCE).is_ok() && der.is_empty() {
            return vec![CertificateDer::from(bytes.to_vec())];
        }
        let mut certificates = Vec::new();
        for section in CertificateDer::pem_slice_iter(bytes) {
            match section {
                Ok(certificate) => certificates.push(certificate),
                Err(error) => {
                    self.error(
                        format_args!("not readable as PEM: {error}"),
                        "replace the file by a whole one",
                    );
                    break;
                }
            }
        }
        certificates
    }

    fn add(&mut self, number: usize, certificate: CertificateDer<'static>, into: &mut Authorities) {
        let Ok((anchor, authority, is_authority)) = read(certificate) else {
            self.error(format_args!("certificate {number} is damaged"), "replace it by a whole one");
            return;
        };
        let name = authority.name();
        if !is_authority {
            self.error(
                format_args!("certificate {number}, \"{name}\", is not one of a CA"),
                "list authorities only; to let single clients in, use `allow`",
            );
            return;
        }
        if into.has(&authority) {
            self.warn(format_args!("certificate {number}, \"{name}\", is there twice"), "remove one");
            return;
        }
        if authority.has_ended(self.now) {
            self.warn(
                format_args!("CA \"{name}\" has expired"),
                "clients with certificates of this CA are refused; add its new certificate",
            );
        } else if authority.not_before > self.now {
            self.warn(format_args!("CA \"{name}\" is not valid yet"), "until then its clients are refused");
        }
        if !authority.is_anchor {
            self.warn(
                format_args!("CA \"{name}\" may not sign certificates, as its key usage says"),
                "only a client that presents this certificate itself is accepted",
            );
        }
        into.push(anchor, authority);
    }
}

fn read(certificate: CertificateDer<'static>) -> Result<(TrustAnchor<'static>, Authority, bool), Malformed> {
    let anchor = webpki::anchor_from_trusted_cert(&certificate).map_err(|_| Malformed)?.to_owned();
    let fields = Fields::read(&certificate)?;
    let is_authority = fields.is_authority()?;
    let authority = Authority {
        subject: fields.subject.to_vec(),
        public_key: fields.public_key().to_vec(),
        not_before: fields.not_before(),
        not_after: fields.not_after(),
        is_anchor: is_authority && fields.signs_certificates()?,
        signs_crls: fields.signs_crls()?,
        digest: sha256(&certificate),
        is_revoked: false,
        certificate,
    };
    Ok((anchor, authority, is_authority))
}

pub(crate) fn seconds(time: UnixTime) -> i64 {
    i64::try_from(time.as_secs()).unwrap_or(i64::MAX)
}

pub(super) fn unix_time(seconds: i64) -> UnixTime {
    UnixTime::since_unix_epoch(std::time::Duration::from_secs(u64::try_from(seconds).unwrap_or(0)))
}

/// limit: size of the file. All public authorities together have a quarter of a megabyte.
const BUNDLE_BYTES_MAX: usize = 4 << 20;
/// limit: length of the names sent in every handshake; TLS allows 64 KiB.
const HINT_BYTES_MAX: usize = 16 << 10;

#[cfg(test)]
mod tests {
    use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair, KeyUsagePurpose};

    use super::*;

    fn certificate(is_ca: IsCa, usages: &[KeyUsagePurpose]) -> CertificateDer<'static> {
        let mut params = CertificateParams::default();
        (params.is_ca, params.key_usages) = (is_ca, usages.to_vec());
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().clone()
    }

    fn element(tag: u8, content: &[u8]) -> Vec<u8> {
        let [high, low] = u16::try_from(content.len()).unwrap().to_be_bytes();
        let head = match high {
            0 if low < 0x80 => vec![tag, low],
            0 => vec![tag, 0x81, low],
            _ => vec![tag, 0x82, high, low],
        };
        [&head, content].concat()
    }

    /// Version 1 has neither a version nor extensions. The signature of an anchor is not checked.
    fn of_version_1(certificate: &CertificateDer<'_>) -> CertificateDer<'static> {
        let mut outer = Reader::new(certificate).expect(SEQUENCE).unwrap().reader();
        let mut signed = outer.expect(SEQUENCE).unwrap().reader();
        let _version = signed.read().unwrap();
        let fields: [&[u8]; 6] = std::array::from_fn(|_| signed.read().unwrap().whole);
        let signed = element(SEQUENCE, &fields.concat());
        let (algorithm, signature) = (outer.read().unwrap().whole, outer.read().unwrap().whole);
        element(SEQUENCE, &[&signed, algorithm, signature].concat()).into()
    }

    #[test]
    fn only_what_may_issue_certificates_is_an_anchor() {
        use KeyUsagePurpose::{CrlSign, DigitalSignature, KeyCertSign};
        let ca = || IsCa::Ca(BasicConstraints::Unconstrained);
        for (what, certificate, is_anchor) in [
            ("CA", certificate(ca(), &[KeyCertSign, CrlSign]), true),
            ("CA without key usage", certificate(ca(), &[]), true),
            ("root of version 1", of_version_1(&certificate(ca(), &[])), true),
            ("CA of other usages", certificate(ca(), &[DigitalSignature, CrlSign]), false),
            ("CA:FALSE", certificate(IsCa::ExplicitNoCa, &[]), false),
            ("CA:FALSE that claims to sign", certificate(IsCa::ExplicitNoCa, &[KeyCertSign]), false),
            ("without constraints", certificate(IsCa::NoCa, &[]), false),
        ] {
            let mut authorities = Authorities::default();
            authorities.add(certificate.clone()).unwrap();
            authorities.add(certificate.clone()).unwrap();
            assert_eq!(
                (authorities.anchors().len(), authorities.list.len()),
                (usize::from(is_anchor), 1),
                "{what}"
            );
            let now = unix_time(authorities.list[0].not_before);
            assert_eq!(
                authorities.check_named(&certificate, now),
                Some(Ok(authorities.list[0].not_after)),
                "{what}"
            );
        }
    }
}
