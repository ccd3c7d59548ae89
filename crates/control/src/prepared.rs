//! A configuration together with the contents of its TLS files. Both are valid, or neither is served (CH3).

use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use config::{Diagnostic, Errors, Loaded, Severity};
use model::Config;
use tls::{Files, Finding, Material, TicketKeys};

use crate::contents::Contents;

/// A checked configuration that is ready to be served.
#[derive(Debug)]
pub struct Prepared {
    pub config: Config,
    pub material: Material,
    pub tickets: Arc<TicketKeys>,
    pub warnings: Vec<Diagnostic>,
    pub(crate) contents: Contents,
}

/// The result of reading the TLS files of a configuration.
#[derive(Debug)]
pub(crate) struct FilesRead {
    /// The material with warnings, or all errors.
    pub(crate) result: Result<(Material, Vec<Diagnostic>), Errors>,
    pub(crate) contents: Contents,
}

impl Prepared {
    /// Reads a configuration and every file that it names.
    ///
    /// # Errors
    /// All errors in them.
    pub fn load(path: &Path, now: SystemTime) -> Result<Self, Errors> {
        Self::of(config::load(path)?, now)
    }

    /// The same for a configuration that was read before.
    ///
    /// # Errors
    /// All errors in its files.
    pub fn of(loaded: Loaded, now: SystemTime) -> Result<Self, Errors> {
        let Loaded { config, mut warnings } = loaded;
        let tickets = TicketKeys::new(seconds(now));
        let FilesRead { result, contents } = read_files(&config, &tickets, now);
        let (material, found) = result?;
        warnings.extend(found);
        Ok(Self { config, material, tickets, warnings, contents })
    }
}

/// Reads the TLS files of a configuration.
pub(crate) fn read_files(config: &Config, tickets: &Arc<TicketKeys>, now: SystemTime) -> FilesRead {
    let mut contents = Contents::of(config);
    let (material, found) = contents.record(now, |read| {
        let mut files = Files::new(read, seconds(now));
        let material = Material::load(config, tickets, &mut files);
        (material, files.into_findings())
    });
    let found: Vec<_> = found.into_iter().map(diagnostic).collect();
    let result = match material {
        Some(material) => Ok((material, found)),
        None => Err(Errors(found.into_iter().filter(|found| found.severity == Severity::Error).collect())),
    };
    FilesRead { result, contents }
}

pub(crate) fn seconds(now: SystemTime) -> u64 {
    now.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

fn diagnostic(finding: Finding) -> Diagnostic {
    let severity = match finding.severity {
        tls::Severity::Error => Severity::Error,
        tls::Severity::Warning => Severity::Warning,
    };
    Diagnostic::about(severity, &finding.place, finding.message, finding.hint)
}
