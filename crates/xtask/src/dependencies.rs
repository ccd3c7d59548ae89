//! `cargo xtask dependencies`: the policy of `deny.toml`, checked by cargo-deny.
//!
//! Licences, bans and sources need only `Cargo.lock` and the registry. Advisories need a database that is cloned from
//! GitHub; a machine that cannot reach it says so and passes.

use std::path::Path;
use std::process::Command;

use crate::packages::CARGO_DENY;
use crate::{Outcome, workspace};

/// The extent of a check that found nothing wrong.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Checked {
    All,
    /// All but these, each with its reason.
    Without(String),
}

/// `cargo xtask dependencies`.
pub(crate) fn run() -> Outcome {
    match check()? {
        Checked::All => {}
        Checked::Without(what) => println!("NOT CHECKED: {what}"),
    }
    Ok(())
}

pub(crate) fn check() -> Outcome<Checked> {
    // A check that cannot run fails: licences, bans and sources need nothing but the registry.
    let program = CARGO_DENY.install()?;
    workspace::run(deny(&program, None).args(["bans", "licenses", "sources"]))?;
    advisories(&program)
}

/// Fetches the database if it can, else takes the one that was fetched last, else skips the check.
fn advisories(program: &Path) -> Outcome<Checked> {
    for (option, result) in [
        (None, Checked::All),
        (Some("--offline"), Checked::Without("advisories of today (an older database was used)".into())),
    ] {
        let mut command = deny(program, option);
        let output = command.arg("advisories").output().map_err(|error| format!("cargo-deny: {error}"))?;
        let said = String::from_utf8_lossy(&output.stderr);
        match output.status.success() {
            true => return Ok(result),
            // It has read a database: something is wrong with a dependency.
            false if said.contains("advisories FAILED") => return Err(said.into_owned()),
            false => {}
        }
    }
    Ok(Checked::Without("advisories (their database cannot be fetched)".into()))
}

fn deny(program: &Path, option: Option<&str>) -> Command {
    let mut command = Command::new(program);
    command.args(option).args(["--locked", "--log-level", "error"]);
    // Duplicate versions are dozens of warnings.
    command.args(["check", "--hide-inclusion-graph"]).current_dir(workspace::root());
    command
}
