//! `cargo xtask conformance`: real servers behind a real Evenkeel. The log of each server is compared with Evenkeel's
//! (HTTP3).
//!
//! The requests are those of `docs/http-conformance.md`, those of `crates/trials/conformance/gadgets.txt`, and mutations of
//! both. Each is followed by a marker request on the same connection, which would become part of a smuggled request. The
//! logs are joined by the request id that Evenkeel gives to every request. One request in one log must be exactly one in the
//! other, with the same method, target and body length, and its response must have gone to its sender.

mod case;
mod compare;
mod exchange;
mod target;

use std::path::Path;
use std::thread;
use std::time::Instant;

use compare::Report;
use exchange::Run;
use target::{Kind, Target};
use xtask::{Outcome, packages};

use crate::server;

pub(crate) fn run() -> Outcome {
    packages::ensure(packages::FOR_CONFORMANCE)?;
    let binary = server::evenkeel(false)?;
    let cases = case::all()?;
    let began = Instant::now();
    println!("{} cases, each with a marker behind it", cases.len());
    let (binary, cases) = (&binary, &cases);
    let reports = thread::scope(|scope| {
        let threads = Kind::ALL.map(|kind| scope.spawn(move || one(kind, binary, cases)));
        threads.map(|thread| thread.join().unwrap_or_else(|_| Err("panicked".into())))
    });
    let mut disagreements = 0;
    println!("{}", Report::HEADING);
    for (kind, report) in Kind::ALL.into_iter().zip(reports) {
        let report = report.map_err(|error| format!("{}: {error}", kind.name()))?;
        disagreements += report.disagreements.len();
        println!("{}", report.line(kind.name()));
        report.disagreements.iter().take(DISAGREEMENTS_PRINTED).for_each(|text| println!("  {text}"));
    }
    println!("{} s", began.elapsed().as_secs());
    if disagreements == 0 { Ok(()) } else { Err(format!("{disagreements} disagreements")) }
}

fn one(kind: Kind, binary: &Path, cases: &[case::Case]) -> Outcome<Report> {
    let target = Target::start(kind)?;
    let run = Run::of(cases, target.address(), binary);
    let seen = target.seen(run.forwarded())?;
    Ok(compare::compare(&run, &seen))
}

const DISAGREEMENTS_PRINTED: usize = 20;
