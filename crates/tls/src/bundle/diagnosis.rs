//! Diagnoses a chain that was built: its end, and every certificate that would be sent.

use super::certificate::{Certificate, Signature};
use super::chain::{Chain, End};
use super::problem::{Code, Part, Problem, Problems, shell_word};
use super::roots::KnownRoots;
use super::time;

/// The input of the diagnosis.
pub(super) struct Diagnosis<'a, 'b> {
    pub(super) certificates: &'a [Certificate<'b>],
    pub(super) chain: &'a Chain,
    pub(super) now: u64,
    pub(super) roots: &'a KnownRoots,
}

impl Diagnosis<'_, '_> {
    pub(super) fn report(&self, problems: &mut Problems) {
        self.end(problems);
        for (depth, &place) in self.chain.served.iter().enumerate() {
            let certificate = &self.certificates[place];
            self.validity(certificate, problems);
            strength(certificate, problems);
            let is_last = depth + 1 == self.chain.served.len();
            if !(is_last && matches!(self.chain.end, End::SelfSigned)) {
                self.issuer(depth, problems);
            }
        }
        self.unrelated(problems);
    }

    /// Reports how the chain ends, and whether clients can verify it.
    fn end(&self, problems: &mut Problems) {
        match self.chain.end {
            End::Root(_) => {}
            End::SelfSigned => {
                let message = "the certificate is its own issuer: only clients that were given it trust it";
                problems.push(Problem::new(Code::SelfSigned, self.leaf().subject(), message));
            }
            End::Unknown(last) => self.unknown(last, problems),
            End::Unsigned { certificate, issuer } => self.unsigned(certificate, issuer, problems),
            End::Loop(last) => {
                let certificate = &self.certificates[last];
                let message =
                    format!("its CAs certify each other and lead to no root ({})", certificate.issuer());
                problems.push(Problem::new(Code::Loop, certificate.subject(), message));
            }
            End::Tangle => {
                let message = "the file has too many certificates that could have issued each other";
                problems.push(Problem::of_file(Code::TooManyCertificates, Part::Chain, message));
            }
        }
    }

    /// If the chain stops before a private root, an intermediate may be missing or the root may have been left out. An
    /// intermediate is missing if the bundle contains unused certificates that would be beyond the gap, or if the
    /// leaf's own issuer is missing and can be fetched: roots no longer issue leaves. Other intermediates name a URL of
    /// their issuer even if that is a root that all clients have.
    fn unknown(&self, last: usize, problems: &mut Problems) {
        let certificate = &self.certificates[last];
        if self.chain.reaches(self.certificates, self.roots) {
            return;
        }
        let (issuer, url) = (certificate.issuer(), certificate.issuer_url());
        let whence = url.map(|url| format!("; it can be fetched from {url}")).unwrap_or_default();
        let key = certificate.issuer_key_id().map(|id| format!(" (key identifier {id})")).unwrap_or_default();
        let message = format!("its issuer {issuer}{key} is not in the file{whence}");
        let is_leaf_alone = last == self.chain.served[0];
        let code = if self.has_unused_ca() || (is_leaf_alone && url.is_some()) {
            Code::MissingLink
        } else {
            Code::UnknownIssuer
        };
        let mut problem = Problem::new(code, certificate.subject(), message);
        if let Some(url) = url.filter(|url| url.starts_with("http") && code == Code::MissingLink) {
            problem = problem.with_hint(format!(
                "Add it: `curl -sSf {} | openssl x509 -inform DER >> FILE`, and look whether its own issuer is there.",
                shell_word(url)
            ));
        }
        problems.push(problem);
    }

    fn unsigned(&self, certificate: usize, issuer: usize, problems: &mut Problems) {
        let (certificate, issuer) = (&self.certificates[certificate], &self.certificates[issuer]);
        let key = match certificate.issuer_key_id() {
            Some(id) if !certificate.key_ids_agree(issuer) => {
                format!(": it wants the key with the identifier {id}, and the one in the file has another")
            }
            _ => String::new(),
        };
        let message = format!("it was not signed by {} as that stands in the file{key}", issuer.subject());
        problems.push(Problem::new(Code::BadSignature, certificate.subject(), message));
    }

    fn validity(&self, certificate: &Certificate<'_>, problems: &mut Problems) {
        let (start, end) = (certificate.not_before(), certificate.not_after());
        let (code, message) = if self.now > end {
            (Code::Expired, format!("it was valid until {}", time::text(end)))
        } else if self.now < start {
            (Code::NotYetValid, format!("it is valid from {}", time::text(start)))
        } else if end - self.now < soon(end - start) {
            let days = (end - self.now) / DAY;
            let days = if days == 1 { "1 day".to_owned() } else { format!("{days} days") };
            (Code::ExpiresSoon, format!("it is valid until {}, {days} from now", time::text(end)))
        } else {
            return;
        };
        problems.push(Problem::new(code, certificate.subject(), message));
    }

    /// Checks that the certificate above this one (the root, for the last) may sign it and did.
    fn issuer(&self, depth: usize, problems: &mut Problems) {
        let certificate = &self.certificates[self.chain.served[depth]];
        let above = match (self.chain.served.get(depth + 1), self.chain.end) {
            (Some(&above), _) | (None, End::Root(above)) => &self.certificates[above],
            _ => return,
        };
        if !above.may_issue() {
            let why =
                if above.is_ca() { "its key is not for signing certificates" } else { "it is not a CA" };
            let message = format!("it signed {}, but {why}", certificate.subject());
            problems.push(Problem::new(Code::NotACa, above.subject(), message));
        }
        // RFC 5280 §4.2.1.9: counts the CAs below it that are not self-issued; the leaf does not count.
        let below = self.chain.served[1..=depth].iter();
        let below = below.filter(|&&place| !self.certificates[place].is_self_issued()).count();
        if let Some(allowed) = above.path_length().filter(|&allowed| (allowed as usize) < below) {
            let message = format!("it allows {allowed} CAs below it, and there are {below}");
            problems.push(Problem::new(Code::PathLength, above.subject(), message));
        }
        let is_known_weak = certificate.has_weak_signature() || above.has_weak_key();
        if certificate.signed_by(above) == Signature::Unchecked && !is_known_weak {
            let message = format!("its signature by {} could not be checked", above.subject());
            problems.push(Problem::new(Code::UncheckedSignature, certificate.subject(), message));
        }
    }

    /// Reports unused certificates. CAs beyond a gap are not reported a second time.
    fn unrelated(&self, problems: &mut Problems) {
        let has_gap = matches!(self.chain.end, End::Unsigned { .. } | End::Loop(_) | End::Tangle)
            || problems.has(Code::MissingLink);
        for certificate in self.unused().filter(|certificate| !(has_gap && certificate.is_ca())) {
            if certificate.is_ca() && self.now > certificate.not_after() {
                let message =
                    format!("it was valid until {}, and is not needed", time::text(certificate.not_after()));
                problems.push(Problem::new(Code::ExpiredUnused, certificate.subject(), message));
                continue;
            }
            let message = "it belongs to no chain of the certificate that is served";
            problems.push(Problem::new(Code::Unrelated, certificate.subject(), message));
        }
    }

    fn has_unused_ca(&self) -> bool {
        self.unused().any(|certificate| certificate.is_ca() && certificate.is_valid_at(self.now))
    }

    /// Certificates that are neither sent nor the root. Another certificate of a CA that is sent is allowed.
    fn unused(&self) -> impl Iterator<Item = &Certificate<'_>> {
        let root = match self.chain.end {
            End::Root(root) => Some(root),
            _ => None,
        };
        let is_used = move |place: usize| self.chain.served.contains(&place) || root == Some(place);
        let used = move || self.chain.served[1..].iter().copied().chain(root);
        let unused = (0..self.certificates.len()).filter(move |&place| !is_used(place));
        unused.map(|place| &self.certificates[place]).filter(move |certificate| {
            !used().any(|place| self.certificates[place].is_same_holder(certificate))
        })
    }

    fn leaf(&self) -> &Certificate<'_> {
        &self.certificates[self.chain.served[0]]
    }
}

fn strength(certificate: &Certificate<'_>, problems: &mut Problems) {
    if let Some(bits) = certificate.rsa_bits().filter(|_| certificate.has_weak_key()) {
        let message = format!("its RSA key has {bits} bits");
        problems.push(Problem::new(Code::WeakKey, certificate.subject(), message));
    }
    if certificate.has_weak_signature() {
        let message = "it is signed with SHA-1 or weaker";
        problems.push(Problem::new(Code::WeakSignature, certificate.subject(), message));
    }
}

/// When a certificate expires soon. Certificates with a validity of six days are renewed after four.
fn soon(life: u64) -> u64 {
    EXPIRES_SOON.min(life / 3)
}

const DAY: u64 = 86_400;
const EXPIRES_SOON: u64 = 14 * DAY;
