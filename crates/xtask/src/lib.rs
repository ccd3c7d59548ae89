//! `cargo xtask`: the checks, and the start of the tasks that live in crates `bench` and `trials`.
//!
//! Those two measure and attack the real binary, and need rustls, h2 and tokio for it. They are programs of their own,
//! so that `cargo xtask tidy` compiles none of these. What all three share is here: [`packages`] and [`workspace`].
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a command line tool: it prints, reads the clock and waits for other processes"
)]

mod checks;
mod dependencies;
mod docs;
mod outcome;
pub mod packages;
mod progress;
mod tidy;
pub mod workspace;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Args, CommandFactory, Parser};

pub use outcome::Outcome;
pub use progress::step;

#[derive(Debug, Parser)]
#[command(bin_name = "cargo xtask", about = "Tasks of the house")]
struct CommandLine {
    #[command(subcommand)]
    task: Option<Task>,
}

// A variant's documentation is its line in `--help`.
#[derive(Debug, clap::Subcommand)]
enum Task {
    /// Run every check: format, clippy, tidy, dependencies, tests, a short soak, documentation
    #[command(visible_alias = "ci")]
    Test,
    /// Check floors, circles, sizes, words and pages; a part of `test`
    Tidy {
        /// `circles [CRATE]`: show all import circles instead
        #[arg(value_name = "circles [CRATE]")]
        arguments: Vec<String>,
    },
    /// Check licences, bans, sources and advisories of all dependencies; a part of `test`
    Dependencies,
    /// Write the pages that are generated from the code
    Docs,
    /// Build and run the demo
    Dev,
    /// Compare the cost of requests with HAProxy, nginx, the floor, or another Evenkeel
    #[command(disable_help_flag = true)]
    Bench(Rest),
    /// Compare what Evenkeel forwards with what nginx, Apache, Node.js and gunicorn see
    #[command(disable_help_flag = true)]
    Conformance(Rest),
    /// Run the cases of RFC 9113 and 7541, by httpwg-cli
    #[command(disable_help_flag = true)]
    H2Conformance(Rest),
    /// Measure what hostile HTTP/2 clients cost in memory, at the target and to good clients
    #[command(disable_help_flag = true)]
    Floods(Rest),
    /// Put Evenkeel between grpcio's client and server
    #[command(disable_help_flag = true)]
    Grpc(Rest),
    /// Examine an https listener with sslscan, testssl.sh and openssl
    #[command(disable_help_flag = true)]
    TlsAudit(Rest),
    /// Count the POSTs lost on connections that a target is about to close, beside HAProxy and nginx
    #[command(disable_help_flag = true, alias = "idle_race")]
    IdleRace(Rest),
    /// Run good and bad clients, failing targets and reloads together; nothing may be lost or leak
    #[command(disable_help_flag = true)]
    Soak(Rest),
    /// Measure what slow clients cost a good one, and when each is cut off
    #[command(disable_help_flag = true)]
    Slow(Rest),
    /// Show the keepalive probes to a client and a target that vanish
    #[command(disable_help_flag = true)]
    Keepalive(Rest),
    /// Put Evenkeel in front of shops in PHP, Express and Flask, and kill what can be killed: no cart may be lost
    #[command(disable_help_flag = true)]
    Sessions(Rest),
    /// Put Evenkeel between npm's ws, Python's websockets and Chromium
    #[command(disable_help_flag = true)]
    Websockets(Rest),
}

/// Arguments for another program, `--help` included.
#[derive(Args, Debug)]
struct Rest {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
    arguments: Vec<OsString>,
}

/// Parses the command line and runs its task.
pub fn main() -> ExitCode {
    let Some(task) = CommandLine::parse().task else {
        println!("{}", CommandLine::command().render_help());
        return ExitCode::SUCCESS;
    };
    let (package, task, rest) = match task {
        Task::Test => return exit_code("test", checks::run()),
        Task::Tidy { arguments } => return exit_code("tidy", tidy::task(&arguments)),
        Task::Dependencies => return exit_code("dependencies", dependencies::run()),
        Task::Docs => return exit_code("docs", docs::run()),
        Task::Dev => return exit_code("dev", dev()),
        Task::Bench(rest) => ("bench", None, rest),
        Task::Conformance(rest) => ("trials", Some("conformance"), rest),
        Task::H2Conformance(rest) => ("trials", Some("h2-conformance"), rest),
        Task::Floods(rest) => ("trials", Some("floods"), rest),
        Task::Grpc(rest) => ("trials", Some("grpc"), rest),
        Task::TlsAudit(rest) => ("trials", Some("tls-audit"), rest),
        Task::IdleRace(rest) => ("trials", Some("idle-race"), rest),
        Task::Soak(rest) => ("trials", Some("soak"), rest),
        Task::Slow(rest) => ("trials", Some("slow"), rest),
        Task::Keepalive(rest) => ("trials", Some("keepalive"), rest),
        Task::Sessions(rest) => ("trials", Some("sessions"), rest),
        Task::Websockets(rest) => ("trials", Some("websockets"), rest),
    };
    run_package(package, task, &rest.arguments)
}

/// Prints what failed; 0 where nothing did, else 1. (2 is what clap ends with on a wrong command line.)
pub fn exit_code(task: &str, outcome: Outcome) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{task}: {message}");
            ExitCode::FAILURE
        }
    }
}

/// Builds the program of another crate, runs it in the directory in which we were called, and ends with its exit code.
fn run_package(package: &str, task: Option<&str>, arguments: &[OsString]) -> ExitCode {
    let cargo = |verb: &str| {
        let mut command = workspace::cargo_here();
        command.args([verb, "--package", package, "--manifest-path"]);
        command.arg(workspace::root().join("Cargo.toml"));
        command
    };
    if let Err(error) = step(&format!("building {package}"), || workspace::status(&mut cargo("build"))) {
        return exit_code(package, Err(error));
    }
    let mut command = cargo("run");
    command.arg("--quiet").arg("--").args(task).args(arguments);
    match step(task.unwrap_or(package), || command.status()) {
        Ok(status) => {
            status.code().and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from)
        }
        Err(error) => exit_code(package, Err(format!("cargo: {error}"))),
    }
}

fn dev() -> Outcome {
    workspace::run(workspace::cargo().args(["run", "--package", "evenkeel", "--", "demo"]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_for_another_program_are_passed_on() {
        let parsed = CommandLine::parse_from(["xtask", "soak", "--seconds", "60", "--help"]);
        let Some(Task::Soak(Rest { arguments })) = parsed.task else { panic!("{parsed:?}") };
        assert_eq!(arguments, ["--seconds", "60", "--help"]);
    }

    #[test]
    fn old_names_of_tasks_hold() {
        for (name, task) in [("ci", "Test"), ("idle_race", "IdleRace"), ("h2-conformance", "H2Conformance")] {
            let parsed = format!("{:?}", CommandLine::parse_from(["xtask", name]).task);
            assert!(parsed.starts_with(&format!("Some({task}")), "{name}: {parsed}");
        }
        assert!(CommandLine::parse_from(["xtask"]).task.is_none());
        assert_eq!(CommandLine::try_parse_from(["xtask", "nonsense"]).unwrap_err().exit_code(), 2);
    }
}
