//! Client certificates (MT1, MT2): what a listener requires of its clients, from the files to the verifier that rustls
//! calls in every handshake. Loading long CRLs is slow and is done off the workers; the result is immutable.

mod authorities;
mod lists;
mod problem;
mod verifier;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use aws_lc_rs::digest;
use model::{ClientAuth, ExpiredCrl};
use rustls::ServerConfig;
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms};
use rustls::pki_types::CertificateDer;
use rustls::server::NoServerSessionStorage;
use rustls::server::danger::ClientCertVerifier;
use webpki::EndEntityCert;

use crate::asn1::{Malformed, Signed};
use crate::fields::{self, Fields};
use crate::in_use::{Ended, Keeps};
use authorities::Authority;
pub(crate) use authorities::{Authorities, seconds};
use lists::Lists;
pub use problem::Problem;
use verifier::ClientVerifier;
pub(crate) use verifier::refusal;

/// The requirements on client certificates, with their files read and checked.
#[derive(Clone, Debug)]
pub struct ClientPolicy {
    verifier: Arc<ClientVerifier>,
    epoch: [u8; 32],
}

#[derive(Debug)]
struct Policy {
    is_required: bool,
    depth: u8,
    expired_crl: ExpiredCrl,
    authorities: Authorities,
    lists: Lists,
}

impl ClientPolicy {
    /// Reads the files with `read` and checks them. Returns all errors at once, or the policy and its warnings.
    pub fn load(
        auth: &ClientAuth,
        read: &dyn Fn(&Path) -> io::Result<Vec<u8>>,
        now_seconds: u64,
        provider: &Arc<CryptoProvider>,
    ) -> Result<(Self, Vec<Problem>), Vec<Problem>> {
        let loaded = Self::load_after(None, auth, read, now_seconds, provider);
        loaded.map(|(policy, problems, _)| (policy, problems))
    }

    /// Like [`Self::load`]. What `before` has of a file stays in use where the file cannot be used; these files are
    /// returned, each with an error among the problems.
    pub(crate) fn load_after(
        before: Option<(&Self, Keeps)>,
        auth: &ClientAuth,
        read: &dyn Fn(&Path) -> io::Result<Vec<u8>>,
        now_seconds: u64,
        provider: &Arc<CryptoProvider>,
    ) -> Result<(Self, Vec<Problem>, Vec<PathBuf>), Vec<Problem>> {
        let now = i64::try_from(now_seconds).unwrap_or(i64::MAX);
        let algorithms = provider.signature_verification_algorithms;
        let (served, keeps) = (before.map(|(policy, _)| policy.policy()), before.map(|(_, keeps)| keeps));
        let keeps_unusable = keeps == Some(Keeps::Unusable);
        let mut kept = Vec::new();
        let bytes = read(&auth.ca).map_err(|error| vec![unreadable(&auth.ca, &error)]);
        let (mut authorities, mut problems) =
            match (bytes.and_then(|bytes| Authorities::read(&auth.ca, &bytes, now)), served) {
                (Ok((new, mut problems)), Some(served))
                    if new.have_ended(now) && !served.authorities.have_ended(now) =>
                {
                    let message = format!("{}: every new CA has expired already", auth.ca.display());
                    problems
                        .push(Problem::error(message, "get its new certificate; those before stay in use"));
                    kept.push(auth.ca.clone());
                    (served.authorities.clone(), problems)
                }
                (Err(problems), Some(served)) if keeps_unusable => {
                    kept.push(auth.ca.clone());
                    (served.authorities.clone(), problems)
                }
                (result, _) => result?,
            };
        let mut is_complete = true;
        let mut lists = Lists::default();
        for path in &auth.crl {
            let error = match read(path) {
                Ok(bytes) => lists.add(path, &bytes, &authorities.list, algorithms.all, &mut problems),
                Err(error) => Err(unreadable(path, &error)),
            };
            let Err(error) = error else { continue };
            problems.push(error);
            match served.filter(|_| keeps_unusable) {
                Some(served) => {
                    lists.keep_those_of(path, &served.lists, &authorities.list);
                    kept.push(path.clone());
                }
                None => is_complete = false,
            }
        }
        if !is_complete {
            return Err(problems);
        }
        lists.warn(&authorities.list, now, auth.expired_crl, &mut problems);
        mark_revoked(&mut authorities.list, &lists, &algorithms, &mut problems);
        let policy = Policy {
            is_required: auth.is_required,
            depth: auth.depth,
            expired_crl: auth.expired_crl,
            authorities,
            lists,
        };
        Ok((Self::new(policy, algorithms), problems, kept))
    }

    fn new(policy: Policy, algorithms: WebPkiSupportedAlgorithms) -> Self {
        let epoch = epoch(&policy);
        let hints = policy.authorities.hints();
        Self { verifier: Arc::new(ClientVerifier { policy: Arc::new(policy), hints, algorithms }), epoch }
    }

    pub fn verifier(&self) -> Arc<dyn ClientCertVerifier> {
        self.verifier.clone()
    }

    pub fn is_required(&self) -> bool {
        self.policy().is_required
    }

    /// Changes whenever a certificate that was accepted might be refused: with the CAs, the CRLs, the depth and the
    /// modes. A decision made under one epoch (a session that could be resumed) is invalid under another.
    pub fn epoch(&self) -> [u8; 32] {
        self.epoch
    }

    /// Whether a connected client, given its certificate chain with its own certificate first, has been revoked since:
    /// its certificate, or an intermediate of the chain.
    pub fn is_revoked(&self, chain: &[CertificateDer<'_>]) -> bool {
        chain.iter().take(CHAIN_MAX).any(|certificate| self.revokes(certificate))
    }

    /// Uses webpki, as the handshake does: a certificate that it cannot read was not part of the verified path.
    fn revokes(&self, der: &CertificateDer<'_>) -> bool {
        let (Ok(certificate), Ok(signed)) = (EndEntityCert::try_from(der), Signed::read(der)) else {
            return false;
        };
        let Policy { authorities, lists, .. } = self.policy();
        let algorithms = self.verifier.algorithms.all;
        let is_by_revoked = |authority: &Authority| {
            authority.is_revoked
                && authority.subject == certificate.issuer()
                && fields::is_signed_by(&signed, &authority.public_key, algorithms) == Some(true)
        };
        lists.revokes(certificate.issuer(), certificate.serial(), &signed, algorithms)
            || authorities.list.iter().any(is_by_revoked)
    }

    /// When the first of the CRLs expires, in seconds since 1970.
    pub fn crl_next_update(&self) -> Option<u64> {
        let times = self.policy().lists.list.iter().filter_map(|list| list.crl.next_update);
        times.min().map(|time| u64::try_from(time).unwrap_or(0))
    }

    /// What of its CAs, read from `ca`, and CRLs has expired.
    pub(crate) fn tell_ended(&self, ca: &Path, now: i64, ended: &mut Vec<Ended>) {
        self.policy().authorities.tell_ended(ca, now, ended);
        self.policy().lists.tell_ended(now, ended);
    }

    pub fn ca_count(&self) -> usize {
        self.policy().authorities.list.len()
    }

    pub fn crl_count(&self) -> usize {
        self.policy().lists.list.len()
    }

    pub fn crl_entry_count(&self) -> usize {
        self.policy().lists.list.iter().map(|list| list.crl.entry_count()).sum()
    }

    fn policy(&self) -> &Policy {
        &self.verifier.policy
    }
}

/// The epoch of a policy, and a fixed one if no client certificate is requested.
pub fn fingerprint_of_policy(policy: Option<&ClientPolicy>) -> [u8; 32] {
    policy.map_or([0; 32], ClientPolicy::epoch)
}

/// Disables session resumption in a configuration. rustls takes a client's certificates from the session and does not
/// call the verifier again, so a revoked client would still get in with a ticket.
pub fn without_resumption(config: &mut ServerConfig) {
    config.send_tls13_tickets = 0;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.ticketer = Arc::new(NoTickets);
}

/// A ticketer that neither makes nor accepts tickets.
#[derive(Debug)]
struct NoTickets;

impl rustls::server::ProducesTickets for NoTickets {
    fn enabled(&self) -> bool {
        false
    }

    fn lifetime(&self) -> u32 {
        0
    }

    fn encrypt(&self, _: &[u8]) -> Option<Vec<u8>> {
        None
    }

    fn decrypt(&self, _: &[u8]) -> Option<Vec<u8>> {
        None
    }
}

fn unreadable(path: &Path, error: &io::Error) -> Problem {
    Problem::error(format!("{}: {error}", path.display()), "the file must exist and be readable for us")
}

/// An intermediate in the bundle is trusted on its own, but not if its issuer, also in the bundle, has revoked it.
fn mark_revoked(
    authorities: &mut [Authority],
    lists: &Lists,
    algorithms: &WebPkiSupportedAlgorithms,
    problems: &mut Vec<Problem>,
) {
    for authority in authorities {
        authority.is_revoked = is_revoked(&authority.certificate, lists, algorithms).unwrap_or(false);
        if authority.is_revoked {
            let message = format!("CA \"{}\" is revoked", authority.name());
            problems.push(Problem::warning(message, "clients of this CA are refused; remove it"));
        }
    }
}

/// Uses x509-parser, because the certificate of a CA may be of version 1, which webpki accepts only as an anchor.
fn is_revoked(
    authority: &CertificateDer<'_>,
    lists: &Lists,
    algorithms: &WebPkiSupportedAlgorithms,
) -> Result<bool, Malformed> {
    let (fields, signed) = (Fields::read(authority)?, Signed::read(authority)?);
    Ok(lists.revokes(fields.issuer, fields.serial(), &signed, algorithms.all))
}

fn epoch(policy: &Policy) -> [u8; 32] {
    let mut parts: Vec<[u8; 32]> = policy.authorities.list.iter().map(|authority| authority.digest).collect();
    let mut crls: Vec<[u8; 32]> = policy.lists.list.iter().map(|list| list.crl.digest).collect();
    // The order in which the configuration names the files has no meaning.
    parts.sort_unstable();
    crls.sort_unstable();
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(b"evenkeel client policy 1");
    let fails = policy.expired_crl == ExpiredCrl::Fail;
    context.update(&[u8::from(policy.is_required), policy.depth, u8::from(fails)]);
    context.update(&(parts.len() as u64).to_be_bytes());
    for part in parts.iter().chain(&crls) {
        context.update(part);
    }
    let mut value = [0; 32];
    value.copy_from_slice(context.finish().as_ref());
    value
}

/// limit: certificates of a client that are checked; webpki accepts no longer path.
const CHAIN_MAX: usize = 16;
