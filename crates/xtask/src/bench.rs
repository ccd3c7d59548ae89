//! `cargo xtask bench`: Evenkeel beside HAProxy, nginx and a relay that does nothing (the floor).
//!
//! Contenders run in turns within each round, in an order that rotates, each in a fresh process; what counts is the
//! ratio within a round and its median over the rounds.

mod build;
mod case;
mod contender;
mod files;
mod load;
mod machine;
mod memory;
mod page;
mod process;
mod report;
mod run;
mod storm;

pub(crate) use contender::{Contender, Variant};
pub(crate) use files::Files;
pub(crate) use process::Placement;

use case::{Case, Kind};
use report::Finding;

use crate::{Outcome, packages, workspace};

/// How much is measured.
#[derive(Clone, Debug, PartialEq)]
struct Options {
    cases: Vec<String>,
    rounds: usize,
    /// Seconds of one measurement.
    seconds: u64,
    /// Write `docs/performance.md`.
    write: bool,
    /// Time a cold release build too.
    cold: bool,
    /// Build first, so that what is measured is what is written.
    build: bool,
}

pub(crate) fn run(arguments: &[String]) -> Outcome {
    if arguments.iter().any(|argument| argument == "--help") {
        println!("{USAGE}");
        return Ok(());
    }
    let options = parse(arguments)?;
    let is_wanted =
        |case: &&Case| options.cases.is_empty() || options.cases.iter().any(|name| case.is_named(name));
    let cases: Vec<&'static Case> = case::all().filter(is_wanted).collect();
    packages::ensure(packages::FOR_BENCH)?;
    let load = machine::load_average();
    if options.build {
        build_binaries()?;
    }
    let binaries = workspace::target_directory()?.join("release");
    memory::raise_open_files(OPEN_FILES)?;
    let bench = run::Bench::new(Files::new(binaries)?, options.rounds, options.seconds, load);
    println!("{}", bench.describe());
    let mut findings = Vec::new();
    for case in cases {
        let finding = measure(&bench, case, &options)?;
        println!("{}", finding.text());
        findings.push(finding);
    }
    if options.write {
        page::write(&bench, &findings)?;
    }
    match findings.iter().map(Finding::missed).sum() {
        0 => Ok(()),
        missed => Err(format!("{missed} bars missed")),
    }
}

fn measure(bench: &run::Bench, case: &'static Case, options: &Options) -> Outcome<Finding> {
    match case.kind {
        Kind::Throughput { load, variant, contenders } => bench.throughput(case, load, variant, contenders),
        Kind::Rules { load, count } => bench.rules(case, load, count),
        Kind::Acl { load, count } => bench.acl(case, load, count),
        Kind::Tail { load, share, contenders } => bench.tail(case, load, share, contenders),
        Kind::IdleMemory { connections, variant, contenders } => {
            bench.idle_memory(case, connections, variant, contenders)
        }
        Kind::Handshakes { storm, contenders } => bench.handshakes(case, storm, contenders),
        Kind::Certificates { few, many, contenders } => bench.certificates(case, (few, many), contenders),
        Kind::Build => build::measure(case, &bench.files.binaries, options.cold),
    }
}

fn parse(arguments: &[String]) -> Outcome<Options> {
    let mut options =
        Options { cases: Vec::new(), rounds: 5, seconds: 2, write: false, cold: false, build: true };
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--rounds" => {
                let rounds = arguments.next().and_then(|word| word.parse().ok()).filter(|&rounds| rounds > 0);
                options.rounds = rounds.ok_or("--rounds takes a number from 1")?;
            }
            "--quick" => (options.rounds, options.seconds) = (3, 1),
            "--write" => options.write = true,
            "--cold" => options.cold = true,
            "--no-build" => options.build = false,
            flag if flag.starts_with('-') => return Err(format!("no option {flag}\n{USAGE}")),
            name if case::all().any(|case| case.is_named(name)) => options.cases.push(name.to_owned()),
            name => return Err(format!("no case {name}\n{USAGE}")),
        }
    }
    Ok(options)
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

const USAGE: &str = "usage: cargo xtask bench [CASE…] [--quick] [--rounds N] [--no-build] [--write] [--cold]

  CASE       as small-64, or small-64/one-core, or a group: tls, h2; all of them by default:
             small-8 small-64 small-512 short 10k gzip 1m log rules-1000 acl p99 idle-memory build
             tls-small tls-handshake tls-resumed tls-bulk tls-memory tls-certificates
             h2-cleartext-160 h2-cleartext-64 h2-tls-160 h2-tls-64
  --rounds   how often each contender runs (5)
  --quick    3 rounds of 1 second: for work in progress, not for claims
  --no-build measure the release binaries that are there
  --write    write docs/performance.md; sections of which no case was measured stay as they are
  --cold     case build: also time a release build from nothing (minutes)";

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_line(line: &str) -> Outcome<Options> {
        let words: Vec<String> = line.split_whitespace().map(String::from).collect();
        parse(&words)
    }

    #[test]
    fn options_are_read() {
        let options = parse_line("small-64/one-core --rounds 7 --write").unwrap();
        assert_eq!((options.rounds, options.seconds, options.write), (7, 2, true));
        assert_eq!(options.cases, ["small-64/one-core"]);
        assert_eq!(parse_line("tls h2").unwrap().cases, ["tls", "h2"]);
        let quick = parse_line("--quick").unwrap();
        assert_eq!((quick.rounds, quick.seconds, quick.cases.len()), (3, 1, 0));
    }

    #[test]
    fn nonsense_is_refused() {
        for line in ["--rounds", "--rounds 0", "--rounds many", "--fast", "small-65", "short/two-core"] {
            assert!(parse_line(line).is_err(), "{line}");
        }
    }

    #[test]
    fn the_usage_names_every_case() {
        for case in case::all() {
            assert!(USAGE.contains(case.name), "{}", case.name);
        }
    }
}
