//! Case `build`: the size of the product's binary and the time of its build.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use tempfile::TempDir;
use xtask::{Outcome, workspace};

use super::case::{Against, Case, Measure};
use super::contender::Contender;
use super::files::Files;
use super::report::Finding;

pub(crate) fn measure(case: &'static Case, files: &Files, cold: bool) -> Outcome<Finding> {
    let mut finding = Finding::new(case);
    let size = stripped_mib(&files.binaries.join("evenkeel"))?;
    finding.compare(Measure::Size, Against::Nothing, vec![size]);
    if let Some(before) = &files.before {
        let against = Against::Contender(Contender::EvenkeelBefore);
        finding.compare(Measure::Size, against, vec![size / stripped_mib(before)?]);
    }
    if cold {
        finding.compare(Measure::BuildTime, Against::Nothing, vec![cold_minutes()?]);
    }
    Ok(finding)
}

fn stripped_mib(binary: &Path) -> Outcome<f64> {
    let directory = TempDir::new().map_err(|error| error.to_string())?;
    let stripped = directory.path().join("stripped");
    workspace::run(Command::new("strip").arg("-o").arg(&stripped).arg(binary))?;
    let bytes = std::fs::metadata(&stripped).map_err(|error| error.to_string())?.len();
    Ok(bytes as f64 / f64::from(1 << 20))
}

/// Builds all crates from nothing on all cores. Downloads are not counted.
fn cold_minutes() -> Outcome<f64> {
    let directory = TempDir::new().map_err(|error| error.to_string())?;
    workspace::run(workspace::cargo().args(["fetch", "--locked"]))?;
    let begin = Instant::now();
    workspace::run(
        workspace::cargo()
            .args(["build", "--release", "--package", "evenkeel", "--target-dir"])
            .arg(directory.path()),
    )?;
    Ok(begin.elapsed().as_secs_f64() / 60.0)
}
