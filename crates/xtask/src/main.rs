//! Tasks of the house: what a person or the CI runs beside `cargo build`.
//!
//! `cargo xtask` lists them. Each task is one module; none of them knows another, except that `test` is made of the
//! checks.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a command line tool: it prints, reads the clock and waits for other processes"
)]

mod bench;
mod checks;
mod conformance;
mod docs;
mod floods;
mod grpc;
mod h2_conformance;
mod idle_race;
mod keepalive;
mod licences;
mod outcome;
mod packages;
mod slow;
mod soak;
mod stand_in;
mod tidy;
mod tls_audit;
mod websockets;
mod workspace;

use std::process::ExitCode;

use outcome::Outcome;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (task, rest) = match arguments.split_first() {
        Some((task, rest)) => (task.as_str(), rest),
        None => ("help", arguments.as_slice()),
    };
    let outcome = match task {
        "test" | "ci" => checks::run(),
        "bench" => bench::run(rest),
        "conformance" => conformance::run(),
        "floods" => floods::run(rest),
        "grpc" => grpc::run(rest),
        "h2-conformance" => h2_conformance::run(rest),
        "idle-race" | "idle_race" => idle_race::run(rest),
        "soak" => soak::run(rest),
        "slow" => slow::run(rest),
        "docs" => docs::run(),
        "keepalive" => keepalive::run(),
        "dev" => workspace::run(workspace::cargo().args(["run", "--package", "evenkeel", "--", "demo"])),
        "tidy" => tidy::task(rest),
        "tls-audit" => tls_audit::run(rest),
        "websockets" => websockets::run(),
        "help" | "--help" | "-h" => {
            println!("{USAGE}");
            Ok(())
        }
        _ => {
            eprintln!("no task {task:?}\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{task}: {message}");
            ExitCode::FAILURE
        }
    }
}

const USAGE: &str = "usage: cargo xtask TASK

  test           every check there is: format, clippy, tidy, licences, tests, documentation (also: ci)
  tidy           floors, circles, sizes, words and pages; a part of test (tidy circles [CRATE]: all import circles)
  bench [CASE…]  compare with HAProxy, nginx and the floor (--help for more)
  conformance    compare what Evenkeel forwards with what nginx, Apache, Node.js and gunicorn see
  h2-conformance the cases of RFC 9113 and 7541, by httpwg-cli
  floods         hostile clients of HTTP/2: what each class costs in memory, at the target and good clients
  grpc           grpcio's client and server through Evenkeel
  tls-audit      what sslscan, testssl.sh and openssl think of an https listener
  idle-race      POSTs on connections that a target is about to close, beside HAProxy and nginx
  soak           good and bad clients, failing targets and reloads; nothing may be lost or left over
  slow           what slow clients cost a good one, and when each is cut off
  docs           make the pages that are made from the code
  keepalive      show the probes to a client and a target that vanish
  websockets     npm's ws, Python's websockets and Chromium through Evenkeel
  dev            build and run the demo";
