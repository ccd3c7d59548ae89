//! `cargo xtask conformance`: real servers behind a real Evenkeel, and what each of them saw against what Evenkeel says it
//! forwarded (HTTP3).
//!
//! Requests are those of `docs/http-conformance.md`, those of `crates/xtask/conformance/gadgets.txt`, and mutations of both.
//! Each is followed by a marker on the same connection, which a smuggled prefix would swallow. The two logs are joined by the
//! request id that Evenkeel gives to every request: one request in the one is exactly one in the other, with the same method,
//! target and length of body, and its answer went to its sender.

mod case;
mod compare;
mod exchange;
mod server;

use std::path::Path;
use std::thread;
use std::time::Instant;

use compare::Report;
use exchange::Run;
use server::Server;

use crate::{Outcome, packages, workspace};

pub(crate) fn run() -> Outcome {
    packages::ensure(packages::FOR_CONFORMANCE)?;
    workspace::run(workspace::cargo().args(["build", "--quiet", "--package", "evenkeel"]))?;
    let binary = workspace::target_directory()?.join("debug/evenkeel");
    let cases = case::all()?;
    let began = Instant::now();
    println!("{} cases, each with a marker behind it", cases.len());
    let (binary, cases) = (&binary, &cases);
    let reports = thread::scope(|scope| {
        let threads = Server::ALL.map(|server| scope.spawn(move || one(server, binary, cases)));
        threads.map(|thread| thread.join().unwrap_or_else(|_| Err("panicked".into())))
    });
    let mut disagreements = 0;
    println!("{}", Report::HEADING);
    for (server, report) in Server::ALL.into_iter().zip(reports) {
        let report = report.map_err(|error| format!("{}: {error}", server.name()))?;
        disagreements += report.disagreements.len();
        println!("{}", report.line(server.name()));
        report.disagreements.iter().take(DISAGREEMENTS_PRINTED).for_each(|text| println!("  {text}"));
    }
    println!("{} s", began.elapsed().as_secs());
    if disagreements == 0 { Ok(()) } else { Err(format!("{disagreements} disagreements")) }
}

fn one(server: Server, binary: &Path, cases: &[case::Case]) -> Outcome<Report> {
    let running = server.start()?;
    let run = Run::of(cases, running.address(), binary);
    let seen = running.seen(run.forwarded())?;
    Ok(compare::compare(&run, &seen))
}

const DISAGREEMENTS_PRINTED: usize = 20;
