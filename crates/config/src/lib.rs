//! Reads the operator's configuration and turns it into a checked [`model::Config`].
//!
//! The text goes through three stages: the TOML tree with its spans (crate `toml`), a tree in which every
//! value has the type and range of its definition in `keys` (`check`), and the types of crate `model`
//! (`build`). Each stage goes on after an error, so that an operator sees all errors at once, each with its
//! position. The reference, the JSON schema and the help of a key are made from the same definitions.
//! `evenkeel check`, `run` and the control plane's reload call [`load`].

mod build;
mod check;
mod diagnostic;
mod files;
mod help;
mod keys;
mod near;
mod raw;
mod reference;
mod report;
mod schema;
mod source;
mod time;
mod units;

use std::path::Path;

pub use diagnostic::{Diagnostic, Errors, Severity};
pub use files::{Disk, Files};
pub use help::{help, nearest_key};
pub use reference::reference_markdown;
pub use schema::schema;

use report::Report;
use source::{Source, Span};

/// A configuration without errors.
#[derive(Debug)]
pub struct Loaded {
    pub config: model::Config,
    /// For settings that are valid but most likely a mistake.
    pub warnings: Vec<Diagnostic>,
}

/// Reads a configuration and the files it names. Relative paths are relative to the configuration's
/// directory.
///
/// # Errors
/// All errors, in the order of the text.
pub fn load(path: &Path) -> Result<Loaded, Errors> {
    let file_name = path.display().to_string();
    let bytes = match Disk.read(path, TEXT_BYTES_MAX) {
        Ok(bytes) => bytes,
        Err(error) => {
            return Err(Errors::whole_file(&file_name, format!("cannot read the configuration: {error}")));
        }
    };
    match std::str::from_utf8(&bytes) {
        Ok(text) => parse(text, &file_name, &Disk),
        Err(error) => {
            let text = String::from_utf8_lossy(&bytes);
            let mut report = Report::new(Source::new(&text));
            let at = error.valid_up_to();
            report.error(&Span::new(at, at.saturating_add(1)), "the text is not UTF-8");
            Err(report.finish(&file_name).0)
        }
    }
}

/// Checks a configuration's text; `files` reads the files it names. The same text and files always give the same
/// result.
///
/// # Errors
/// All errors, in the order of the text.
pub fn parse(text: &str, file_name: &str, files: &dyn Files) -> Result<Loaded, Errors> {
    if text.len() > TEXT_BYTES_MAX {
        return Err(Errors::whole_file(file_name, format!("the text is longer than {TEXT_BYTES_MAX} bytes")));
    }
    let mut report = Report::new(Source::new(text));
    let (tree, syntax_errors) = toml::de::DeTable::parse_recoverable(text);
    let syntax_is_right = syntax_errors.is_empty();
    for error in syntax_errors {
        report.syntax(error.span().map(Span::from), error.message());
    }
    let root = check::check(tree.get_ref(), syntax_is_right, &mut report);
    // After a syntax error parts of the tree are missing, so missing keys are not reported.
    let config = syntax_is_right.then(|| build::config(&root, file_name, files, &mut report));
    match (report.finish(file_name), config) {
        ((errors, warnings), Some(config)) if errors.is_empty() => Ok(Loaded { config, warnings }),
        ((errors, _), _) => Err(errors),
    }
}

/// limit: far above any configuration that people write; 10 000 targets take less than 1 MiB.
const TEXT_BYTES_MAX: usize = 16 * 1024 * 1024;
