//! A configuration together with what the files of its TLS say: both are right, or neither is served (CH3).

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use config::{Diagnostic, Errors, Loaded, Severity};
use model::Config;
use tls::{Files, Finding, Material, TicketKeys};

/// What can be served.
#[derive(Debug)]
pub struct Prepared {
    pub config: Config,
    pub material: Material,
    pub tickets: Arc<TicketKeys>,
    pub warnings: Vec<Diagnostic>,
}

impl Prepared {
    /// Reads a configuration and every file that it names.
    ///
    /// # Errors
    /// Everything that is wrong with them.
    pub fn load(path: &Path, now: SystemTime) -> Result<Self, Errors> {
        Self::of(config::load(path)?, now)
    }

    /// The same of a configuration that was read already.
    ///
    /// # Errors
    /// Everything that is wrong with its files.
    pub fn of(loaded: Loaded, now: SystemTime) -> Result<Self, Errors> {
        let Loaded { config, mut warnings } = loaded;
        let tickets = TicketKeys::new(seconds(now));
        let (material, found) = material(&config, &tickets, now)?;
        warnings.extend(found);
        Ok(Self { config, material, tickets, warnings })
    }
}

/// Reads the files of a configuration's TLS; what is returned beside them are warnings.
pub(crate) fn material(
    config: &Config,
    tickets: &Arc<TicketKeys>,
    now: SystemTime,
) -> Result<(Material, Vec<Diagnostic>), Errors> {
    let mut files = Files::new(&read, seconds(now));
    let material = Material::load(config, tickets, &mut files);
    let found: Vec<_> = files.into_findings().into_iter().map(diagnostic).collect();
    match material {
        Some(material) => Ok((material, found)),
        None => Err(Errors(found.into_iter().filter(|found| found.severity == Severity::Error).collect())),
    }
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

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = File::open(path)?.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    if read as u64 > FILE_BYTES_MAX {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "it has more than 128 MiB"));
    }
    Ok(bytes)
}

// limit: a CRL of a million entries has about 40 MiB.
const FILE_BYTES_MAX: u64 = 128 << 20;
