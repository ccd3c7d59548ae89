//! What the product weighs and how long it takes to build.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use tempfile::TempDir;

use super::case::{Against, Case, Measure};
use super::report::Finding;
use crate::{Outcome, workspace};

pub(crate) fn measure(case: &'static Case, binaries: &Path, cold: bool) -> Outcome<Finding> {
    let mut finding = Finding { case, absolutes: Vec::new(), rows: Vec::new() };
    finding.compare(Measure::Size, Against::Nothing, vec![stripped_mib(&binaries.join("evenkeel"))?]);
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

/// All crates from nothing, on the cores there are; what cargo downloads is there already.
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
