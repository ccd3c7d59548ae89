//! `cargo xtask keepalive`: how the kernel probes a client and a target that vanish, as `ss -tnoi` reports it, and how many
//! probes it sends. These are scenarios of crate `e2e`, with their output shown.

use xtask::{Outcome, packages, workspace};

use crate::server;

pub(crate) fn run() -> Outcome {
    packages::ensure(packages::FOR_TESTS)?;
    let binary = server::evenkeel(false)?;
    let scenarios = "test --quiet --package e2e --test connections idle -- --nocapture --test-threads=1";
    workspace::run(workspace::cargo().args(scenarios.split(' ')).env("EVENKEEL_BIN", binary))
}
