//! `cargo xtask bench`: Evenkeel beside HAProxy, nginx, a relay that parses nothing (the floor), or another Evenkeel.
//!
//! In each round every contender runs once, in an order that rotates, each in a fresh process. What counts is the ratio
//! within a round and its median over the rounds.
//!
//! Crate `trials` starts its servers with [`Process`], and the contenders of `idle-race` as they are started here.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a command line tool: it prints, reads the clock and waits for other processes"
)]

mod build;
mod case;
mod cases;
mod contender;
mod files;
mod load;
mod machine;
mod memcached;
mod memory;
mod page;
mod persist;
mod process;
mod report;
mod run;
mod sessions;
mod storm;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory, Parser};

pub use contender::{Contender, Running, Variant};
pub use files::Files;
pub use process::{Placement, Process, free_port};
pub use report::Spread;

use case::{Case, Kind};
use report::Finding;
use xtask::{Outcome, packages, step, workspace};

#[derive(Clone, Debug, PartialEq, Parser)]
#[command(
    bin_name = "cargo xtask bench",
    about = "Compare the cost of requests with HAProxy, nginx, the floor, or another Evenkeel",
    after_help = cases::names()
)]
struct Options {
    /// Cases as `small-64` or `small-64/one-core`, or a group: `tls`, `h2`, `persist`, `gateway`; all of them by default
    #[arg(value_parser = case_name)]
    cases: Vec<String>,

    /// How often each contender runs
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..))]
    rounds: u16,

    /// Seconds of one measurement, after one of warm-up
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..))]
    seconds: u64,

    /// 3 rounds of 1 second: for work in progress, not for claims
    #[arg(long, conflicts_with_all = ["rounds", "seconds"])]
    quick: bool,

    /// Another Evenkeel binary: adds the contender `evenkeel-before`, with the same configuration
    #[arg(long, value_name = "PATH")]
    against: Option<PathBuf>,

    /// Run only these contenders, such as `haproxy,floor`; Evenkeel runs always
    #[arg(long, value_name = "NAMES", value_enum, value_delimiter = ',')]
    only: Option<Vec<Contender>>,

    /// Measure the release binaries that are there
    #[arg(long)]
    no_build: bool,

    /// Write docs/performance.md; sections without a measured case stay as they are
    #[arg(long, conflicts_with_all = ["against", "only"])]
    write: bool,

    /// Case `build`: also time a release build from nothing (minutes)
    #[arg(long)]
    cold: bool,
}

/// Parses the command line and measures.
pub fn main() -> ExitCode {
    if let Some(load) = memcached::asked_for() {
        return xtask::exit_code("memcached-load", load);
    }
    let options = Options::parse();
    if let Err(error) = options.check() {
        Options::command().error(clap::error::ErrorKind::ValueValidation, error).exit();
    }
    xtask::exit_code("bench", run(&options))
}

fn run(options: &Options) -> Outcome {
    packages::ensure(packages::FOR_BENCH)?;
    let load = machine::load_average();
    if !options.no_build {
        build_binaries()?;
    }
    let binaries = workspace::target_directory()?.join("release");
    memory::raise_open_files(OPEN_FILES)?;
    let files = Files::new(binaries, options.against.clone())?;
    let bench = run::Bench::new(files, options.only.clone(), options.rounds(), options.seconds(), load);
    println!("{}", bench.describe());
    let mut findings = Vec::new();
    for case in options.cases() {
        let finding = step(&format!("case {}", case.name), || measure(&bench, case, options.cold))?;
        println!("{}", finding.text());
        findings.push(finding);
    }
    if options.against.is_some() {
        println!("{}", report::before_and_after(&findings));
    }
    if options.write {
        page::write(&bench, &findings)?;
    }
    match findings.iter().map(Finding::missed).sum() {
        0 => Ok(()),
        missed => Err(format!("{missed} bars missed")),
    }
}

fn measure(bench: &run::Bench, case: &'static Case, cold: bool) -> Outcome<Finding> {
    let chosen = |contenders| bench.contenders(contenders);
    match case.kind {
        Kind::Throughput { load, variant, contenders } => {
            bench.throughput(case, load, variant, &chosen(contenders))
        }
        Kind::Rules { load, count } => bench.rules(case, load, count),
        Kind::Acl { load, count } => bench.acl(case, load, count),
        Kind::Tail { load, share, contenders } => bench.tail(case, load, share, &chosen(contenders)),
        Kind::IdleMemory { connections, variant, contenders } => {
            bench.idle_memory(case, connections, variant, &chosen(contenders))
        }
        Kind::Handshakes { storm, contenders } => bench.handshakes(case, storm, &chosen(contenders)),
        Kind::Certificates { few, many, contenders } => {
            bench.certificates(case, (few, many), &chosen(contenders))
        }
        Kind::Persist { load, variant } => bench.persist(case, load, variant),
        Kind::Sessions { load, count } => bench.sessions(case, load, count),
        Kind::SharedSessions { load, count } => bench.shared_sessions(case, load, count),
        Kind::StoppedStore { load, count } => bench.stopped_store(case, load, count),
        Kind::Gateway { connections } => bench.gateway(case, connections),
        Kind::Build => build::measure(case, &bench.files, cold),
    }
}

impl Options {
    /// Returns an error for options that clap cannot compare.
    fn check(&self) -> Outcome {
        let names_before = self.only.as_ref().is_some_and(|only| only.contains(&Contender::EvenkeelBefore));
        match &self.against {
            Some(path) if !path.is_file() => Err(format!("--against {}: no such file", path.display())),
            None if names_before => Err("--only evenkeel-before needs --against PATH".into()),
            _ => Ok(()),
        }
    }

    fn cases(&self) -> impl Iterator<Item = &'static Case> {
        cases::all().filter(|case| self.cases.is_empty() || self.cases.iter().any(|name| case.is_named(name)))
    }

    fn rounds(&self) -> usize {
        if self.quick { 3 } else { self.rounds.into() }
    }

    fn seconds(&self) -> u64 {
        if self.quick { 1 } else { self.seconds }
    }
}

fn case_name(name: &str) -> Result<String, String> {
    let is_known = cases::all().any(|case| case.is_named(name));
    if is_known { Ok(name.to_owned()) } else { Err("no case or group has this name".into()) }
}

fn build_binaries() -> Outcome {
    workspace::run(
        workspace::cargo().args(["build", "--release"]).args(
            ["evenkeel", "bench-floor", "bench-handshake", "bench-target"]
                .into_iter()
                .flat_map(|package| ["--package", package]),
        ),
    )
}

/// A proxy with 5,000 clients may hold as many target connections.
const OPEN_FILES: u64 = 16_384;

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Options, clap::Error> {
        Options::try_parse_from(std::iter::once("bench").chain(line.split_whitespace()))
    }

    #[test]
    fn options_are_read() {
        let options = parse("small-64/one-core --rounds 7 --write").unwrap();
        assert_eq!((options.rounds(), options.seconds(), options.write), (7, 2, true));
        assert_eq!(options.cases, ["small-64/one-core"]);
        assert_eq!(parse("tls h2").unwrap().cases, ["tls", "h2"]);
        let quick = parse("--quick").unwrap();
        assert_eq!((quick.rounds(), quick.seconds()), (3, 1));
        assert_eq!(quick.cases().count(), cases::all().count());
        let only = parse("--only evenkeel,nginx").unwrap().only;
        assert_eq!(only.as_deref(), Some(&[Contender::Evenkeel, Contender::Nginx][..]));
    }

    #[test]
    fn a_wrong_command_line_is_a_usage_error() {
        for line in [
            "--rounds",
            "--rounds 0",
            "--rounds many",
            "--fast",
            "small-65",
            "short/two-core",
            "--only apache",
            "--write --only nginx",
            "--write --against x",
            "--quick --rounds 5",
        ] {
            assert_eq!(parse(line).map_err(|error| error.exit_code()), Err(2), "{line}");
        }
    }

    #[test]
    fn the_binary_of_before_is_there() {
        assert!(parse("--against Cargo.toml --only evenkeel-before").unwrap().check().is_ok());
        assert!(parse("--against gone").unwrap().check().is_err());
        assert!(parse("--only evenkeel-before").unwrap().check().is_err());
    }

    #[test]
    fn the_help_names_every_case() {
        let help = Options::command().render_help().to_string();
        for case in cases::all() {
            assert!(help.contains(case.name), "{}", case.name);
        }
    }
}
