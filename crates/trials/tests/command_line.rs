//! The command line as `cargo xtask` uses it. This test also has `cargo test` build the program, which the soak of
//! `cargo xtask test` then runs.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::process::{Command, Output};

fn trials(line: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_trials")).args(line.split_whitespace()).output().unwrap()
}

#[test]
fn every_trial_has_a_help() {
    for trial in [
        "conformance",
        "h2-conformance",
        "floods",
        "grpc",
        "tls-audit",
        "idle-race",
        "soak",
        "slow",
        "keepalive",
        "sessions",
        "websockets",
    ] {
        let output = trials(&format!("{trial} --help"));
        let text = String::from_utf8(output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(0), "{trial}");
        assert!(text.contains(&format!("Usage: cargo xtask {trial}")), "{text}");
    }
}

#[test]
fn a_wrong_command_line_ends_with_2() {
    for line in
        ["", "nonsense", "soak --fast", "soak --seed", "soak --seconds many", "floods --server apache"]
    {
        assert_eq!(trials(line).status.code(), Some(2), "{line}");
    }
}
