//! Reads the files that a configuration names, each once for all listeners, and reports problems at the place that
//! names them.

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use model::{CertificateFiles, ClientAuth, Place, TargetTls};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::sign::CertifiedKey;

use crate::bundle::{self, Bundle, KnownRoots, Problem, Severity};
use crate::client_auth::{Authorities, ClientPolicy};
use crate::in_use::{Ended, Keeps};
use crate::provider;

/// A note about a file, and where the file is named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub place: Place,
    pub severity: Severity,
    pub message: String,
    pub hint: String,
}

/// A certificate that is served, for status and metrics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateInfo {
    pub path: PathBuf,
    pub subject: String,
    pub issuer: String,
    pub serial: String,
    pub fingerprint: String,
    pub names: Vec<String>,
    /// In seconds since 1970: when the first certificate of the chain expires.
    pub not_after: u64,
}

impl CertificateInfo {
    pub fn has_ended(&self, now_seconds: u64) -> bool {
        self.not_after < now_seconds
    }
}

/// What was read for a configuration. It stays in use for files that cannot be used when they are read again.
#[derive(Clone, Debug, Default)]
pub struct Parts {
    certificates: HashMap<(PathBuf, Option<PathBuf>), Arc<Loaded>>,
    policies: Vec<(ClientAuth, Arc<ClientPolicy>)>,
    roots: HashMap<PathBuf, Arc<Authorities>>,
}

impl Parts {
    pub(crate) fn ended(&self, now_seconds: u64) -> Vec<Ended> {
        let now = i64::try_from(now_seconds).unwrap_or(i64::MAX);
        let mut ended = Vec::new();
        let infos = self.certificates.values().map(|loaded| &loaded.info);
        for info in infos.filter(|info| info.has_ended(now_seconds)) {
            let what = format!("certificate {}", info.subject);
            ended.push(Ended { path: info.path.clone(), what, not_after: info.not_after });
        }
        for (path, roots) in &self.roots {
            roots.tell_ended(path, now, &mut ended);
        }
        for (auth, policy) in &self.policies {
            policy.tell_ended(&auth.ca, now, &mut ended);
        }
        ended
    }
}

/// A certificate that is ready to be served.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) key: Arc<CertifiedKey>,
    pub(crate) kind: bundle::KeyKind,
    pub(crate) info: Arc<CertificateInfo>,
}

/// What was read so far, and the notes.
pub struct Files<'r> {
    read: &'r dyn Fn(&Path) -> io::Result<Vec<u8>>,
    now_seconds: u64,
    certificates: HashMap<(PathBuf, Option<PathBuf>), Option<Arc<Loaded>>>,
    policies: Vec<(ClientAuth, Option<Arc<ClientPolicy>>)>,
    system_roots: Option<Arc<Authorities>>,
    /// Subjects of the roots that clients have: chains that end below one are complete.
    known_roots: Option<KnownRoots>,
    findings: Vec<Finding>,
    before: Option<(&'r Parts, Keeps)>,
    /// The roots of targets by file.
    roots: HashMap<PathBuf, Option<Arc<Authorities>>>,
    kept: BTreeSet<PathBuf>,
}

impl std::fmt::Debug for Files<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Files").field("findings", &self.findings).finish_non_exhaustive()
    }
}

impl<'r> Files<'r> {
    /// `read` returns a whole file and limits its size; `now_seconds` is since 1970.
    pub fn new(read: &'r dyn Fn(&Path) -> io::Result<Vec<u8>>, now_seconds: u64) -> Self {
        Self {
            read,
            now_seconds,
            certificates: HashMap::new(),
            policies: Vec::new(),
            system_roots: None,
            known_roots: None,
            findings: Vec::new(),
            before: None,
            roots: HashMap::new(),
            kept: BTreeSet::new(),
        }
    }

    /// `before` is served now, and stays in use where a file cannot be used; each such file is a finding.
    #[must_use]
    pub fn after(mut self, before: &'r Parts, keeps: Keeps) -> Self {
        self.before = Some((before, keeps));
        self
    }

    /// The files whose contents are not used: what is served now stays in use for them.
    pub fn kept(&self) -> &BTreeSet<PathBuf> {
        &self.kept
    }

    pub(crate) fn now_seconds(&self) -> u64 {
        self.now_seconds
    }

    pub(crate) fn parts(&self) -> Parts {
        let certificates = self.certificates.iter();
        let roots = self.roots.iter();
        Parts {
            certificates: certificates.filter_map(|(key, one)| Some((key.clone(), one.clone()?))).collect(),
            policies: self
                .policies
                .iter()
                .filter_map(|(auth, one)| Some((auth.clone(), one.clone()?)))
                .collect(),
            roots: roots.filter_map(|(path, one)| Some((path.clone(), one.clone()?))).collect(),
        }
    }

    fn keeps_unusable(&self) -> bool {
        matches!(self.before, Some((_, Keeps::Unusable)))
    }

    /// The notes; if there is an error the configuration cannot be served.
    pub fn into_findings(self) -> Vec<Finding> {
        self.findings
    }

    pub(crate) fn found(&mut self, place: &Place, severity: Severity, message: String, hint: &str) {
        self.findings.push(Finding { place: place.clone(), severity, message, hint: hint.to_owned() });
    }

    /// `None`: it cannot be served, which was reported.
    pub(crate) fn certificate(&mut self, files: &CertificateFiles) -> Option<Arc<Loaded>> {
        let known = (files.chain.clone(), files.key.clone());
        if let Some(loaded) = self.certificates.get(&known) {
            return loaded.clone();
        }
        let before = self.before.and_then(|(parts, _)| parts.certificates.get(&known)).cloned();
        let mut loaded = self.load(files).map(Arc::new);
        let now = self.now_seconds;
        let is_newly_ended =
            |new: &Loaded, before: &Loaded| new.info.has_ended(now) && !before.info.has_ended(now);
        match (&loaded, before) {
            (None, Some(before)) if self.keeps_unusable() => loaded = Some(before),
            (Some(new), Some(before)) if is_newly_ended(new, &before) => {
                let message = format!("{}: the new certificate has expired already", files.chain.display());
                self.refuse(&files.place, message, "renew it; the one before stays in use");
                loaded = Some(before);
            }
            _ => {
                self.certificates.insert(known, loaded.clone());
                return loaded;
            }
        }
        self.kept.extend([Some(files.chain.clone()), files.key.clone()].into_iter().flatten());
        self.certificates.insert(known, loaded.clone());
        loaded
    }

    /// A file that is not used, while what is served stays: an error of a swap, and a warning of a reload, which goes on.
    fn refuse(&mut self, place: &Place, message: String, hint: &str) {
        let severity = if self.keeps_unusable() { Severity::Error } else { Severity::Warning };
        self.found(place, severity, message, hint);
    }

    fn load(&mut self, files: &CertificateFiles) -> Option<Loaded> {
        let chain = self.read(&files.chain, &files.place)?;
        let key = match &files.key {
            Some(path) => Some(self.read(path, &files.place)?),
            None => None,
        };
        let roots = self.known_roots.get_or_insert_with(KnownRoots::of_system);
        let read = bundle::read_below(&chain, key.as_deref(), self.now_seconds, roots);
        let bundle = match read {
            Ok(bundle) => bundle,
            Err(problems) => {
                self.tell(&problems, files);
                return None;
            }
        };
        self.tell(&bundle.warnings, files);
        Some(loaded(bundle, &files.chain))
    }

    fn tell(&mut self, problems: &[Problem], files: &CertificateFiles) {
        let is_fatal = problems.iter().any(Problem::is_fatal);
        for problem in problems {
            let message = format!(
                "{}: {}: {} ({})",
                files.chain.display(),
                problem.subject,
                problem.message,
                problem.code.word()
            );
            let hint = problem.clone().in_files(&files.chain, files.key.as_deref()).hint;
            // A certificate that has expired is served all the same: the other names do not depend on it, and the clients
            // of its own get a clear error.
            let severity = if is_fatal { problem.severity } else { Severity::Warning };
            self.found(&files.place, severity, message, &hint);
        }
    }

    fn read(&mut self, path: &Path, place: &Place) -> Option<Vec<u8>> {
        match (self.read)(path) {
            Ok(bytes) => Some(bytes),
            Err(error) => {
                let message = format!("cannot read `{}`: {error}", path.display());
                let hint = match error.kind() {
                    io::ErrorKind::PermissionDenied => "the user that runs evenkeel must be able to read it",
                    _ => "a relative path starts at the configuration's folder",
                };
                self.found(place, Severity::Error, message, hint);
                None
            }
        }
    }

    /// `None`: it cannot be served, which was reported.
    pub(crate) fn client_policy(&mut self, auth: &ClientAuth) -> Option<Arc<ClientPolicy>> {
        if let Some((_, policy)) = self.policies.iter().find(|(known, _)| known == auth) {
            return policy.clone();
        }
        let before = self.before.and_then(|(parts, keeps)| {
            let same = |auth: &ClientAuth| ClientAuth { place: Place::default(), ..auth.clone() };
            let (_, policy) = parts.policies.iter().find(|(known, _)| same(known) == same(auth))?;
            Some((&**policy, keeps))
        });
        let loaded = ClientPolicy::load_after(before, auth, self.read, self.now_seconds, &provider());
        let (policy, problems) = match loaded {
            Ok((policy, problems, kept)) => {
                self.kept.extend(kept);
                (Some(Arc::new(policy)), problems)
            }
            Err(problems) => (None, problems),
        };
        for problem in problems {
            let keeps_on = policy.is_some() && !self.keeps_unusable();
            let is_error = problem.is_error && !keeps_on;
            let severity = if is_error { Severity::Error } else { Severity::Warning };
            self.found(&auth.place, severity, problem.message, &problem.hint);
        }
        self.policies.push((auth.clone(), policy.clone()));
        policy
    }

    /// The roots that targets are verified against.
    pub(crate) fn roots(&mut self, tls: &TargetTls) -> Option<Arc<Authorities>> {
        match &tls.ca {
            Some(path) => self.roots_of(path, &tls.place),
            None => Some(self.system_roots(&tls.place)),
        }
    }

    fn roots_of(&mut self, path: &Path, place: &Place) -> Option<Arc<Authorities>> {
        if let Some(roots) = self.roots.get(path) {
            return roots.clone();
        }
        let before = self.before.and_then(|(parts, _)| parts.roots.get(path)).cloned();
        let mut roots = self.roots_of_file(path, place);
        let now = i64::try_from(self.now_seconds).unwrap_or(i64::MAX);
        match (&roots, before) {
            (None, Some(before)) if self.keeps_unusable() => {
                self.kept.insert(path.to_owned());
                roots = Some(before);
            }
            (Some(new), Some(before)) if new.have_ended(now) && !before.have_ended(now) => {
                let message = format!("{}: every new CA has expired already", path.display());
                self.refuse(place, message, "get its new certificate; those before stay in use");
                self.kept.insert(path.to_owned());
                roots = Some(before);
            }
            _ => {}
        }
        self.roots.insert(path.to_owned(), roots.clone());
        roots
    }

    fn roots_of_file(&mut self, path: &Path, place: &Place) -> Option<Arc<Authorities>> {
        let bytes = self.read(path, place)?;
        let mut roots = Authorities::default();
        let certificates: Vec<_> = CertificateDer::pem_slice_iter(&bytes).take(ROOTS_MAX).collect();
        for (index, certificate) in certificates.into_iter().enumerate() {
            let added = certificate.map_err(|error| error.to_string());
            let added = added.and_then(|root| roots.add(root).map_err(|_| "it cannot be read".to_owned()));
            if let Err(error) = added {
                let message = format!("{}: certificate {}: {error}", path.display(), index + 1);
                self.found(
                    place,
                    Severity::Error,
                    message,
                    "a PEM file with the CAs that targets' certificates come from",
                );
                return None;
            }
        }
        if roots.is_empty() {
            let message = format!("{}: the file has no certificate", path.display());
            self.found(
                place,
                Severity::Error,
                message,
                "a PEM file with the CAs that targets' certificates come from",
            );
            return None;
        }
        let now = i64::try_from(self.now_seconds).unwrap_or(i64::MAX);
        for root in roots.iter().filter(|root| root.has_ended(now)) {
            let message = format!("{}: {} \"{}\" has expired", path.display(), root.kind(), root.name());
            let hint = "targets that depend on it are refused; add its new certificate";
            self.found(place, Severity::Warning, message, hint);
        }
        Some(Arc::new(roots))
    }

    fn system_roots(&mut self, place: &Place) -> Arc<Authorities> {
        if let Some(roots) = &self.system_roots {
            return Arc::clone(roots);
        }
        let mut roots = Authorities::default();
        for root in rustls_native_certs::load_native_certs().certs {
            // The store of a system may hold certificates that cannot be read; the others count.
            let _ = roots.add(root);
        }
        if roots.is_empty() {
            let message = "this machine has no root certificates: no target can be verified".to_owned();
            self.found(
                place,
                Severity::Warning,
                message,
                "install the package `ca-certificates`, or name a `ca`",
            );
        }
        Arc::clone(self.system_roots.insert(Arc::new(roots)))
    }
}

fn loaded(bundle: Bundle, path: &Path) -> Loaded {
    let info = CertificateInfo {
        path: path.to_owned(),
        subject: bundle.subject,
        issuer: bundle.issuer,
        serial: bundle.serial,
        fingerprint: bundle.fingerprint,
        names: bundle.names,
        not_after: bundle.not_after,
    };
    Loaded {
        key: Arc::new(CertifiedKey::new(bundle.chain, bundle.signing_key)),
        kind: bundle.key_kind,
        info: Arc::new(info),
    }
}

// limit: certificates in a file of CAs.
const ROOTS_MAX: usize = 10_000;
