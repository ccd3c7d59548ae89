//! The CRLs of a policy: which are valid, which one is the newest, and the status of a certificate.

use std::path::Path;
use std::sync::Arc;

use model::ExpiredCrl;
use rustls::pki_types::SignatureVerificationAlgorithm;
use webpki::Cert;

use super::authorities::Authority;
use super::problem::Problem;
use crate::asn1::{Malformed, Signed};
use crate::crl::{self, Crl, CrlError};
use crate::fields;
use crate::identity::name;
use crate::in_use::Ended;

/// The newest list of every issuer and scope.
#[derive(Debug, Default)]
pub(super) struct Lists {
    pub(super) list: Vec<List>,
}

/// An issuer is a name and a key: two authorities with the same name are different issuers.
#[derive(Clone, Debug)]
pub(super) struct List {
    /// Shared with the policy that replaces this one, if its file cannot be read then.
    pub(super) crl: Arc<Crl>,
    file: Arc<Path>,
    pub(super) public_key: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    Good,
    Revoked,
    /// No list covers it.
    Unknown,
    /// Not revoked according to a list that expired at this time.
    Stale(i64),
}

impl Lists {
    /// Adds the lists in a file. If the file has an error, none of its lists is added.
    pub(super) fn add(
        &mut self,
        path: &Path,
        bytes: &[u8],
        authorities: &[Authority],
        algorithms: &[&dyn SignatureVerificationAlgorithm],
        problems: &mut Vec<Problem>,
    ) -> Result<(), Problem> {
        let file: Arc<Path> = path.into();
        let mut found = Vec::new();
        let read = crl::each(bytes, |crl, signed| {
            let issuer = issuer(&crl, signed, authorities, algorithms)?;
            let (crl, file) = (Arc::new(crl), Arc::clone(&file));
            found.push((List { crl, file, public_key: issuer.public_key.clone() }, issuer.name()));
            Ok(())
        });
        read.map_err(|error| Problem::error(format!("{}: {error}", path.display()), error.hint()))?;
        for (list, issuer) in found {
            if self.keep(list) {
                let message = format!("{}: a CRL of \"{issuer}\" that is not the newest", path.display());
                problems.push(Problem::warning(message, "the newest counts; remove the others"));
            }
        }
        Ok(())
    }

    /// Adds the lists of a file that is not read again, of authorities that are still trusted.
    pub(super) fn keep_those_of(&mut self, path: &Path, served: &Self, authorities: &[Authority]) {
        let of_file = served.list.iter().filter(|list| *list.file == *path);
        for list in of_file.filter(|list| authorities.iter().any(|authority| list.is_of(authority))) {
            self.keep(list.clone());
        }
    }

    /// Whether there was another list of the same issuer and scope.
    fn keep(&mut self, list: List) -> bool {
        let Some(other) = self.list.iter_mut().find(|other| other.is_same_source(&list)) else {
            self.list.push(list);
            return false;
        };
        let is_other = other.crl.digest != list.crl.digest;
        if list.crl.is_newer_than(&other.crl) {
            *other = list;
        }
        is_other
    }

    pub(super) fn tell_ended(&self, now: i64, ended: &mut Vec<Ended>) {
        for list in &self.list {
            let Some(next_update) = list.crl.next_update.filter(|&next_update| next_update <= now) else {
                continue;
            };
            ended.push(Ended {
                path: list.file.to_path_buf(),
                what: format!("CRL of {}", name::for_people(&list.crl.issuer)),
                not_after: u64::try_from(next_update).unwrap_or(0),
            });
        }
    }

    /// The status of a certificate whose issuer has this key.
    pub(super) fn status(
        &self,
        certificate: &Cert<'_>,
        issuer_key: &[u8],
        is_client: bool,
        now: i64,
        expired: ExpiredCrl,
    ) -> Result<Status, Malformed> {
        let mut status = Status::Unknown;
        for list in &self.list {
            let is_issuer = list.crl.issuer == certificate.issuer() && list.public_key == issuer_key;
            if !is_issuer || !list.crl.scope.covers(&certificate.der(), is_client)? {
                continue;
            }
            if list.crl.contains(certificate.serial()) {
                return Ok(Status::Revoked);
            }
            match list.crl.next_update {
                Some(next_update) if next_update <= now && expired == ExpiredCrl::Fail => {
                    if status != Status::Good {
                        status = Status::Stale(next_update);
                    }
                }
                _ => status = Status::Good,
            }
        }
        Ok(status)
    }

    /// Whether a list of its issuer revokes it: the key that signed the list must have signed the certificate too.
    pub(super) fn revokes(
        &self,
        issuer: &[u8],
        serial: &[u8],
        signed: &Signed<'_>,
        algorithms: &[&dyn SignatureVerificationAlgorithm],
    ) -> bool {
        self.list.iter().any(|list| {
            list.crl.issuer == issuer
                && list.crl.contains(serial)
                && fields::is_signed_by(signed, &list.public_key, algorithms) == Some(true)
        })
    }

    pub(super) fn warn(
        &self,
        authorities: &[Authority],
        now: i64,
        expired: ExpiredCrl,
        problems: &mut Vec<Problem>,
    ) {
        for list in &self.list {
            let name = name::for_people(&list.crl.issuer);
            if list.crl.this_update > now {
                let message = format!("the CRL of \"{name}\" is from the future");
                problems.push(Problem::warning(message, "it counts all the same; is the clock right?"));
            }
            match list.crl.next_update {
                None => problems.push(Problem::warning(
                    format!("the CRL of \"{name}\" does not say when the next one comes"),
                    "it counts for ever",
                )),
                Some(next_update) if next_update <= now => problems.push(Problem::warning(
                    format!("the CRL of \"{name}\" has expired"),
                    match expired {
                        ExpiredCrl::Fail => "clients of this CA are refused until there is a new one",
                        ExpiredCrl::Warn => "it counts as before, since `expired_crl` is `warn`",
                    },
                )),
                Some(_) => {}
            }
        }
        if self.list.is_empty() {
            return;
        }
        for authority in authorities {
            if !self.list.iter().any(|list| list.is_of(authority)) {
                problems.push(Problem::warning(
                    format!("no CRL of \"{}\"", authority.name()),
                    "clients whose certificates it issued itself are refused, since others have CRLs",
                ));
            }
        }
    }
}

impl List {
    fn is_same_source(&self, other: &Self) -> bool {
        self.crl.issuer == other.crl.issuer
            && self.public_key == other.public_key
            && self.crl.scope == other.crl.scope
    }

    fn is_of(&self, authority: &Authority) -> bool {
        self.crl.issuer == authority.subject && self.public_key == authority.public_key
    }
}

/// The authority that signed a list. Several authorities may have the same name, for instance with old and new keys.
fn issuer<'a>(
    crl: &Crl,
    signed: &Signed<'_>,
    authorities: &'a [Authority],
    algorithms: &[&dyn SignatureVerificationAlgorithm],
) -> Result<&'a Authority, CrlError> {
    let mut error = CrlError::UnknownIssuer(name::for_people(&crl.issuer));
    let candidates = authorities.iter().filter(|authority| authority.subject == crl.issuer);
    for authority in candidates.take(CANDIDATES_MAX) {
        match fields::is_signed_by(signed, &authority.public_key, algorithms) {
            Some(true) if authority.signs_crls => return Ok(authority),
            Some(true) => return Err(CrlError::NotSigner(authority.name())),
            Some(false) => error = CrlError::Signature(authority.name()),
            None if matches!(error, CrlError::UnknownIssuer(_)) => {
                error = CrlError::Algorithm(authority.name());
            }
            None => {}
        }
    }
    Err(error)
}

/// limit: certificates of one name that are tried; each costs a pass over the whole list.
const CANDIDATES_MAX: usize = 16;
