//! Reads a configuration from a file, a pipe or standard input, as far as its errors permit.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::Path;

use crate::build::StoreUrl;
use crate::diagnostic::{Diagnostic, Errors};
use crate::files::{Disk, Files};
use crate::report::Report;
use crate::source::{Source, Span};
use crate::{build, check};

/// A configuration without errors.
#[derive(Debug)]
pub struct Loaded {
    pub config: model::Config,
    /// For settings that are valid but most likely a mistake.
    pub warnings: Vec<Diagnostic>,
}

/// A configuration with all its errors.
#[derive(Debug)]
pub struct Reading {
    /// Harmless values stand in the place of wrong ones, so that the files that it names can be examined as well.
    pub config: model::Config,
    pub errors: Errors,
    pub warnings: Vec<Diagnostic>,
    /// What only the crates that use them can examine.
    pub store_urls: Vec<StoreUrl>,
    file_name: String,
    text: String,
}

/// Reads a configuration and the files it names, but for those of certificates, keys, CAs and CRLs. Relative paths are
/// relative to the configuration's directory, or to the current one if it has none, as a pipe.
///
/// # Errors
/// If there is no text in which errors could have a place.
pub fn read(path: &Path) -> Result<Reading, Errors> {
    read_with(path, bytes)
}

/// Reads a configuration once more, only from a regular file: a pipe would block until it has a writer.
///
/// # Errors
/// If there is no text in which errors could have a place.
pub fn read_again(path: &Path) -> Result<Reading, Errors> {
    read_with(path, |path| Disk.read(path, TEXT_BYTES_MAX))
}

fn read_with(path: &Path, bytes: impl Fn(&Path) -> io::Result<Vec<u8>>) -> Result<Reading, Errors> {
    let file_name = name(path);
    let bytes = bytes(path)
        .map_err(|error| Errors::whole_file(&file_name, format!("cannot read the configuration: {error}")))?;
    match String::from_utf8(bytes) {
        Ok(text) => reading(&text, &file_name, folder(path), &Disk),
        Err(error) => {
            let at = error.utf8_error().valid_up_to();
            let text = String::from_utf8_lossy(error.as_bytes());
            let mut report = Report::new(Source::new(&text));
            report.error(&Span::new(at, at.saturating_add(1)), "the text is not UTF-8");
            Err(report.finish(&file_name).0)
        }
    }
}

/// Does the same, for a configuration that must be right.
///
/// # Errors
/// All errors, in the order of the text.
pub fn load(path: &Path) -> Result<Loaded, Errors> {
    read(path)?.loaded()
}

/// Checks a configuration's text; `files` reads the files it names. The same text and files always give the same
/// result.
///
/// # Errors
/// All errors, in the order of the text.
pub fn parse(text: &str, file_name: &str, files: &dyn Files) -> Result<Loaded, Errors> {
    let folder = Path::new(file_name).parent().unwrap_or(Path::new(""));
    reading(text, file_name, folder, files)?.loaded()
}

/// The name of a configuration for people.
pub fn name(path: &Path) -> String {
    if is_stdin(path) { "<stdin>".to_owned() } else { path.display().to_string() }
}

/// Whether the same configuration can be read a second time: not from standard input or a pipe.
pub fn can_be_read_again(path: &Path) -> bool {
    !is_stdin(path) && !is_descriptor(path) && path.is_file()
}

fn reading(text: &str, file_name: &str, folder: &Path, files: &dyn Files) -> Result<Reading, Errors> {
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
    if !syntax_is_right {
        // Parts of the tree are missing, so much would be reported that is not so.
        report.keep_only_errors_of_files();
    }
    let (config, store_urls) = build::config(&root, file_name, folder, files, &mut report);
    let (errors, warnings) = report.finish(file_name);
    let (file_name, text) = (file_name.to_owned(), text.to_owned());
    Ok(Reading { config, errors, warnings, store_urls, file_name, text })
}

impl Reading {
    /// # Errors
    /// All errors, in the order of the text.
    pub fn loaded(self) -> Result<Loaded, Errors> {
        let Self { config, errors, warnings, .. } = self;
        if errors.is_empty() { Ok(Loaded { config, warnings }) } else { Err(errors) }
    }

    /// Gives a diagnostic about this configuration the line that it is about.
    pub fn quote(&self, diagnostic: &mut Diagnostic) {
        if diagnostic.file == self.file_name && diagnostic.excerpt.is_none() {
            diagnostic.quote(&self.text);
        }
    }
}

/// A configuration may come from a pipe, other than the files it names.
fn bytes(path: &Path) -> io::Result<Vec<u8>> {
    let source: Box<dyn Read> = if is_stdin(path) {
        Box::new(io::stdin())
    } else if path.metadata()?.is_file() {
        return Disk.read(path, TEXT_BYTES_MAX);
    } else {
        Box::new(File::open(path)?)
    };
    let mut bytes = Vec::new();
    source.take(TEXT_BYTES_MAX as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > TEXT_BYTES_MAX {
        let message = format!("it is larger than {TEXT_BYTES_MAX} bytes");
        return Err(io::Error::new(ErrorKind::FileTooLarge, message));
    }
    Ok(bytes)
}

fn folder(path: &Path) -> &Path {
    let nowhere = is_stdin(path) || is_descriptor(path);
    path.parent().filter(|_| !nowhere).unwrap_or(Path::new(""))
}

fn is_stdin(path: &Path) -> bool {
    path == Path::new("-")
}

/// True for `/dev/stdin` and for what a shell makes of `<(command)`.
fn is_descriptor(path: &Path) -> bool {
    path.starts_with("/dev") || path.starts_with("/proc")
}

/// limit: far above any configuration that people write; 10 000 targets take less than 1 MiB.
const TEXT_BYTES_MAX: usize = 16 * 1024 * 1024;
