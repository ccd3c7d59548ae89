//! Where things lie, and cargo.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::Outcome;

/// The workspace's root: two levels above this crate.
pub(crate) fn root() -> PathBuf {
    let crate_directory = Path::new(env!("CARGO_MANIFEST_DIR"));
    crate_directory.ancestors().nth(2).unwrap_or(crate_directory).to_path_buf()
}

/// The cargo that runs us, at the root.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root());
    command
}

/// `cargo metadata`; with the dependencies' packages where `deep`.
pub(crate) fn metadata(deep: bool) -> Outcome<Value> {
    let mut command = cargo();
    command.args(["metadata", "--format-version=1"]);
    if deep {
        // Without it cargo would want the packages of systems that we do not build for.
        command.arg("--filter-platform").arg(format!("{}-unknown-linux-gnu", std::env::consts::ARCH));
    } else {
        command.arg("--no-deps");
    }
    let output = command.output().map_err(|error| format!("cargo metadata: {error}"))?;
    if !output.status.success() {
        return Err(format!("cargo metadata: {}", String::from_utf8_lossy(&output.stderr)));
    }
    serde_json::from_slice(&output.stdout).map_err(|error| format!("cargo metadata: {error}"))
}

/// The directory cargo builds into.
pub(crate) fn target_directory() -> Outcome<PathBuf> {
    match &metadata(false)?["target_directory"] {
        Value::String(path) => Ok(path.into()),
        _ => Err("cargo metadata names no target directory".into()),
    }
}

/// Runs a command with our input and output; its failure is ours.
pub(crate) fn run(command: &mut Command) -> Outcome {
    let name = format!("{command:?}");
    let status = command.status().map_err(|error| format!("{name}: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("{name}: {status}")) }
}

/// Whether a program stands in `PATH` or in the directories of system tools.
pub(crate) fn installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin", "/sbin"].map(PathBuf::from))
        .any(|directory| directory.join(program).is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_holds_the_workspace() {
        let manifest = std::fs::read_to_string(root().join("Cargo.toml")).unwrap();
        assert!(manifest.contains("[workspace]"));
    }

    #[test]
    fn knows_what_is_installed() {
        assert!(installed("sh"));
        assert!(!installed("no-such-program"));
    }
}
