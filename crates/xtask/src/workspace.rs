//! Paths of the workspace, and cargo.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::{Outcome, step};

/// The workspace's root: two levels above this crate.
pub fn root() -> PathBuf {
    let crate_directory = Path::new(env!("CARGO_MANIFEST_DIR"));
    crate_directory.ancestors().nth(2).unwrap_or(crate_directory).to_path_buf()
}

/// The cargo that started this program, in the workspace's root.
pub fn cargo() -> Command {
    let mut command = cargo_here();
    command.current_dir(root());
    command
}

/// The cargo that started this program, in the current directory.
pub(crate) fn cargo_here() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// `cargo metadata` of the workspace's own packages.
pub(crate) fn metadata() -> Outcome<Value> {
    let mut command = cargo();
    command.args(["metadata", "--format-version=1", "--no-deps"]);
    let output = command.output().map_err(|error| format!("cargo metadata: {error}"))?;
    if !output.status.success() {
        return Err(format!("cargo metadata: {}", String::from_utf8_lossy(&output.stderr)));
    }
    serde_json::from_slice(&output.stdout).map_err(|error| format!("cargo metadata: {error}"))
}

/// The directory cargo builds into.
pub fn target_directory() -> Outcome<PathBuf> {
    match &metadata()?["target_directory"] {
        Value::String(path) => Ok(path.into()),
        _ => Err("cargo metadata names no target directory".into()),
    }
}

/// Runs a command as a step of the task, with this program's input and output. A failure of the command is an error.
pub fn run(command: &mut Command) -> Outcome {
    step(&short(command), || status(command))
}

pub(crate) fn status(command: &mut Command) -> Outcome {
    let name = format!("{command:?}");
    let status = command.status().map_err(|error| format!("{name}: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("{name}: {status}")) }
}

/// The program without its directory, and its first arguments.
fn short(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or_default();
    let mut words = vec![program.to_string_lossy()];
    words.extend(command.get_args().take(WORDS_MAX).map(OsStr::to_string_lossy));
    if command.get_args().len() > WORDS_MAX {
        words.push("…".into());
    }
    words.join(" ")
}

const WORDS_MAX: usize = 6;

/// Returns true if a program is in `PATH` or in the directories of system tools.
pub(crate) fn installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin", "/sbin"].map(PathBuf::from))
        .chain(versions_of_postgres())
        .any(|directory| directory.join(program).is_file())
}

/// Debian keeps the servers' programs out of the way, one directory for each version.
fn versions_of_postgres() -> impl Iterator<Item = PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    versions.map(|version| version.path().join("bin"))
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
    fn a_step_has_the_command_s_first_words() {
        let mut command = Command::new("/usr/bin/cargo");
        command.args(["build", "--release"]);
        assert_eq!(short(&command), "cargo build --release");
        assert_eq!(short(command.args(["a", "b", "c", "d", "e"])), "cargo build --release a b c d …");
    }

    #[test]
    fn installed_programs_are_found() {
        assert!(installed("sh"));
        assert!(!installed("no-such-program"));
    }
}
