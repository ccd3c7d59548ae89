//! `cargo xtask keepalive`: what the kernel does about a client and a target that vanish, as `ss -tnoi` tells it, and how
//! many probes went out. It is the scenarios of vanished peers with their output shown.

use crate::{Outcome, packages, workspace};

pub(crate) fn run() -> Outcome {
    packages::ensure(packages::FOR_TESTS)?;
    workspace::run(workspace::cargo().args(["build", "--quiet", "--package", "evenkeel"]))?;
    let scenarios = "test --quiet --package e2e --test connections idle -- --nocapture --test-threads=1";
    workspace::run(workspace::cargo().args(scenarios.split(' ')))
}
