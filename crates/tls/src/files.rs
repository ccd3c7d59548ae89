//! Reads the files that a configuration names, each once for all listeners, and reports problems at the place that
//! names them.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use model::{CertificateFiles, ClientAuth, Place, TargetTls};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::sign::CertifiedKey;

use crate::bundle::{self, Bundle, KnownRoots, Problem, Severity};
use crate::client_auth::{Authorities, ClientPolicy};
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
        }
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
        let loaded = self.load(files).map(Arc::new);
        self.certificates.insert(known, loaded.clone());
        loaded
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
        for problem in problems {
            let message = format!(
                "{}: {}: {} ({})",
                files.chain.display(),
                problem.subject,
                problem.message,
                problem.code.word()
            );
            let hint = problem.clone().in_files(&files.chain, files.key.as_deref()).hint;
            self.found(&files.place, problem.severity, message, &hint);
        }
    }

    fn read(&mut self, path: &Path, place: &Place) -> Option<Vec<u8>> {
        match (self.read)(path) {
            Ok(bytes) => Some(bytes),
            Err(error) => {
                let message = format!("cannot read `{}`: {error}", path.display());
                let hint = "a relative path starts at the configuration's folder";
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
        let loaded = ClientPolicy::load(auth, self.read, self.now_seconds, &provider());
        let (policy, problems) = match loaded {
            Ok((policy, warnings)) => (Some(Arc::new(policy)), warnings),
            Err(problems) => (None, problems),
        };
        for problem in problems {
            let severity = if problem.is_error { Severity::Error } else { Severity::Warning };
            self.found(&auth.place, severity, problem.message, &problem.hint);
        }
        self.policies.push((auth.clone(), policy.clone()));
        policy
    }

    /// The roots that targets are verified against.
    pub(crate) fn roots(&mut self, tls: &TargetTls) -> Option<Arc<Authorities>> {
        match &tls.ca {
            Some(path) => self.roots_of_file(path, &tls.place),
            None => Some(self.system_roots(&tls.place)),
        }
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
            let message = format!("{}: CA \"{}\" has expired", path.display(), root.name());
            let hint = "targets with certificates of this CA are refused; add its new certificate";
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
