//! A configuration together with the contents of its TLS files. Both are valid, or neither is served (CH3).

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use config::{Diagnostic, Errors, Loaded, Reading, Severity};
use model::{Config, SqlDialect, StoreKind};
use tls::{Files, Finding, Keeps, Material, TicketKeys};

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
    /// The material, or all errors.
    pub(crate) result: Result<Material, Errors>,
    pub(crate) warnings: Vec<Diagnostic>,
    pub(crate) contents: Contents,
    /// Errors of files that are not used, though the rest is: what was served before stays in use for them.
    pub(crate) refused: Vec<Diagnostic>,
    pub(crate) kept: BTreeSet<PathBuf>,
}

/// Why a configuration cannot be served, and what else was found in it.
#[derive(Debug)]
pub struct Unfit {
    pub errors: Errors,
    pub warnings: Vec<Diagnostic>,
}

impl From<Errors> for Unfit {
    fn from(errors: Errors) -> Self {
        Self { errors, warnings: Vec::new() }
    }
}

impl Prepared {
    /// Reads a configuration and every file that it names.
    ///
    /// # Errors
    /// All errors in them.
    pub fn load(path: &Path, now: SystemTime) -> Result<Self, Errors> {
        Self::check(path, now).map_err(|unfit| unfit.errors)
    }

    /// The same, with the warnings beside the errors.
    ///
    /// # Errors
    /// All errors and warnings.
    pub fn check(path: &Path, now: SystemTime) -> Result<Self, Unfit> {
        let reading = config::read(path)?;
        let tickets = TicketKeys::new(seconds(now));
        let files = read_files(&reading.config, &tickets, now, None);
        let contents = files.contents.clone();
        let (loaded, material, _) = with_files(reading, files)?;
        let Loaded { config, warnings } = loaded;
        Ok(Self { config, material, tickets, warnings, contents })
    }

    /// The same for a configuration that was read before.
    ///
    /// # Errors
    /// All errors in its files.
    pub fn of(loaded: Loaded, now: SystemTime) -> Result<Self, Errors> {
        let Loaded { config, mut warnings } = loaded;
        let tickets = TicketKeys::new(seconds(now));
        let FilesRead { result, warnings: found, contents, .. } = read_files(&config, &tickets, now, None);
        let material = result?;
        warnings.extend(found);
        Ok(Self { config, material, tickets, warnings, contents })
    }
}

/// The configuration and what its TLS files hold, or the findings of both, and the files for which others are kept.
pub(crate) fn with_files(
    reading: Reading,
    files: FilesRead,
) -> Result<(Loaded, Material, BTreeSet<PathBuf>), Unfit> {
    let FilesRead { result, warnings: mut found, refused, kept, .. } = files;
    let (material, mut errors) = match result {
        Ok(material) => (Some(material), refused),
        Err(errors) => (None, errors.0),
    };
    let of_stores = wrong_stores(&reading);
    let is_right = reading.errors.is_empty() && of_stores.is_empty();
    errors.extend(of_stores);
    errors.iter_mut().chain(&mut found).for_each(|diagnostic| reading.quote(diagnostic));
    match material {
        Some(material) if is_right => {
            let mut loaded = reading.loaded()?;
            loaded.warnings.extend(found);
            Ok((loaded, material, kept))
        }
        _ => {
            let warnings = reading.warnings.into_iter().chain(found).collect();
            Err(Unfit { errors: reading.errors.and(Errors(errors)), warnings })
        }
    }
}

/// The session stores that could not be opened. Nothing is connected for it.
fn wrong_stores(reading: &Reading) -> Vec<Diagnostic> {
    let mut wrong = Vec::new();
    for store in &reading.config.session_stores {
        let place = reading.store_urls.iter().find(|url| url.store == store.name);
        let (Some(url), Err(error)) = (place, store::check(&store.kind)) else { continue };
        let message = format!("session store `{}` cannot be opened: {error}", store.name);
        let hint = url_hint(&store.kind).to_owned();
        let diagnostic = Diagnostic::about(Severity::Error, &url.place, message, hint);
        wrong.push(Diagnostic { key: format!("session_store.{}.url", store.name), ..diagnostic });
    }
    wrong
}

fn url_hint(kind: &StoreKind) -> &'static str {
    match kind {
        StoreKind::Sql { dialect: SqlDialect::Postgres, .. } => {
            "`sslmode` is `disable`, `allow`, `prefer`, `require`, `verify-ca` or `verify-full`; other parameters are those of PostgreSQL's own URLs"
        }
        StoreKind::Sql { dialect: SqlDialect::Mysql, .. } => {
            "`ssl-mode` is `DISABLED`, `PREFERRED`, `REQUIRED`, `VERIFY_CA` or `VERIFY_IDENTITY`; `ssl-ca` names a file"
        }
        StoreKind::Sql { dialect: SqlDialect::Sqlite, .. } => {
            "a URL of SQLite is `sqlite://` and a file name, such as `sqlite:///var/lib/evenkeel/sessions.db`"
        }
        _ => {
            "the form is `redis://USER:PASSWORD@HOST:PORT/NUMBER`, with the number of the database; `rediss://` is for TLS"
        }
    }
}

/// Reads the TLS files of a configuration. `before` is served now, and stays in use as far as its `Keeps` says.
pub(crate) fn read_files(
    config: &Config,
    tickets: &Arc<TicketKeys>,
    now: SystemTime,
    before: Option<(&Material, Keeps)>,
) -> FilesRead {
    let mut contents = Contents::of(config);
    let (material, kept, found) = contents.record(now, |read| {
        let mut files = Files::new(read, seconds(now));
        if let Some((material, keeps)) = before {
            files = files.after(material.parts(), keeps);
        }
        let material = Material::load(config, tickets, &mut files);
        (material, files.kept().clone(), files.into_findings())
    });
    let found = found.into_iter().map(diagnostic);
    let (errors, warnings) = found.partition::<Vec<_>, _>(|found| found.severity == Severity::Error);
    let (result, refused) = match material {
        Some(material) => (Ok(material), errors),
        None => (Err(Errors(errors)), Vec::new()),
    };
    FilesRead { result, warnings, contents, refused, kept }
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
