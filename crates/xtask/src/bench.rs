//! `cargo xtask bench`: Evenkeel beside HAProxy, nginx and a relay that does nothing (the floor).
//!
//! Contenders run in turns within each round, in an order that rotates, each in a fresh process; what counts is the
//! ratio within a round and its median over the rounds. Nothing is installed.

mod build;
mod case;
mod contender;
mod load;
mod machine;
mod memory;
mod page;
mod process;
mod report;
mod run;

pub(crate) use contender::{Contender, Variant};
pub(crate) use process::Placement;

use case::{CASES, Case, Kind};
use report::Finding;

use crate::{Outcome, workspace};

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
    let cases: Vec<&'static Case> = CASES
        .iter()
        .filter(|case| options.cases.is_empty() || options.cases.iter().any(|name| case.is_named(name)))
        .collect();
    require_tools()?;
    let load = machine::load_average();
    if options.build {
        build_binaries()?;
    }
    let binaries = workspace::target_directory()?.join("release");
    memory::raise_open_files(OPEN_FILES)?;
    let bench = run::Bench::new(binaries, options.rounds, options.seconds, load);
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
        Kind::IdleMemory { connections, contenders } => bench.idle_memory(case, connections, contenders),
        Kind::Build => build::measure(case, &bench.binaries, options.cold),
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
            name if CASES.iter().any(|case| case.is_named(name)) => options.cases.push(name.to_owned()),
            name => return Err(format!("no case {name}\n{USAGE}")),
        }
    }
    Ok(options)
}

fn require_tools() -> Outcome {
    let missing: Vec<_> = TOOLS.iter().filter(|(program, _)| !workspace::installed(program)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let packages: Vec<_> = missing.iter().map(|(_, package)| *package).collect();
    Err(format!("missing programs; install them with\n  apt-get install -y {}", packages.join(" ")))
}

fn build_binaries() -> Outcome {
    workspace::run(workspace::cargo().args(["build", "--release"]).args(
        ["evenkeel", "bench-floor", "bench-target"].into_iter().flat_map(|package| ["--package", package]),
    ))
}

/// What is run, and the Debian package it comes from.
const TOOLS: &[(&str, &str)] = &[
    ("haproxy", "haproxy"),
    ("nginx", "nginx-light"),
    ("wrk", "wrk"),
    ("h2load", "nghttp2-client"),
    ("setpriv", "util-linux"),
    ("taskset", "util-linux"),
    ("chrt", "util-linux"),
];

/// A proxy with 5,000 clients may hold as many target connections.
const OPEN_FILES: u64 = 16_384;

const USAGE: &str = "usage: cargo xtask bench [CASE…] [--quick] [--rounds N] [--no-build] [--write] [--cold]

  CASE       as small-64, or small-64/one-core; all of them by default:
             small-8 small-64 small-512 short 10k gzip 1m log rules-1000 acl p99 idle-memory build
  --rounds   how often each contender runs (5)
  --quick    3 rounds of 1 second: for work in progress, not for claims
  --no-build measure the release binaries that are there
  --write    write docs/performance.md
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
        for case in CASES {
            assert!(USAGE.contains(case.name), "{}", case.name);
        }
    }
}
