//! Files with which contenders are started, beside their configurations.

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;
use xtask::{Outcome, workspace};

/// Binaries, and certificates that are made when they are first needed and deleted on drop.
#[derive(Debug)]
pub struct Files {
    /// The directory of the release binaries.
    pub(crate) binaries: PathBuf,
    /// The other Evenkeel binary.
    pub(crate) before: Option<PathBuf>,
    certificates: TempDir,
}

impl Files {
    pub fn new(binaries: PathBuf, before: Option<PathBuf>) -> Outcome<Self> {
        let certificates = TempDir::new().map_err(|error| error.to_string())?;
        Ok(Self { binaries, before, certificates })
    }

    /// The TLS client.
    pub(crate) fn handshake(&self) -> PathBuf {
        self.binaries.join("bench-handshake")
    }

    /// A directory with this many bundles, `0.pem` and so on.
    pub(crate) fn certificates(&self, count: usize) -> Outcome<PathBuf> {
        let directory = self.certificates.path().join(count.to_string());
        if !directory.exists() {
            make(&self.handshake(), &directory, count)?;
        }
        Ok(directory)
    }
}

fn make(program: &Path, directory: &Path, count: usize) -> Outcome {
    std::fs::create_dir(directory).map_err(|error| format!("{}: {error}", directory.display()))?;
    let mut command = Command::new(program);
    command.args(["certificates", "--count", &count.to_string(), "--directory"]).arg(directory);
    workspace::run(&mut command)
}
