//! `cargo xtask h2-conformance`: the cases of `httpwg-cli` (RFC 9113 and RFC 7541, derived from h2spec) against a listener,
//! by prior knowledge: the tool has no TLS.

use std::path::Path;
use std::process::{Command, Stdio};

use clap::Args;
use testkit::{Target, response};
use xtask::{Outcome, packages};

use crate::stand_in::Program;

#[derive(Args, Debug)]
pub(crate) struct Options {
    /// The server to test; others than evenkeel show what the tool reports for those
    #[arg(long, value_enum, value_name = "NAME", default_value_t = Program::Evenkeel)]
    server: Program,

    /// A server that already runs
    #[arg(long, value_name = "ADDRESS")]
    against: Option<String>,

    /// Only cases with these words in their name
    #[arg(long, value_name = "WORDS")]
    filter: Option<String>,
}

/// The report of the tool.
#[derive(Debug, Default, PartialEq, Eq)]
struct Verdict {
    passed: usize,
    /// Each with its reason.
    failed: Vec<String>,
    all: usize,
}

pub(crate) fn run(options: &Options) -> Outcome {
    let tool = packages::HTTPWG.install()?;
    let filter = options.filter.as_deref();
    let verdict = match &options.against {
        Some(address) => judge(&tool, address, filter)?,
        None => {
            let program = options.server.prepare(false)?;
            // Some cases need a body, to see how it is sent under their windows.
            let target = Target::http(|_| response(200, "", &"0123456789abcdef".repeat(64)));
            let proxy = program.start(target.address())?;
            judge(&tool, &proxy.http2.to_string(), filter)?
        }
    };
    verdict.failed.iter().for_each(|case| println!("FAIL {case}"));
    println!("{} of {} passed (bar {BAR} of {CASES})", verdict.passed, verdict.all);
    if filter.is_some() {
        return if verdict.failed.is_empty() { Ok(()) } else { Err("some failed".into()) };
    }
    if verdict.all != CASES {
        return Err(format!("{} cases ran instead of {CASES}", verdict.all));
    }
    if verdict.passed >= BAR { Ok(()) } else { Err(format!("only {} passed", verdict.passed)) }
}

fn judge(tool: &Path, address: &str, filter: Option<&str>) -> Outcome<Verdict> {
    let mut command = Command::new(tool);
    command.args(["--address", address]);
    command.args(["--connect-timeout", TIMEOUT_MILLIS, "--frame-timeout", TIMEOUT_MILLIS]);
    if let Some(filter) = filter {
        command.args(["--filter", filter]);
    }
    // One case at a time, so that no case disturbs another.
    command
        .env("SEQUENTIAL", "1")
        .env("NO_COLOR", "1")
        .env("RUST_LOG", "error")
        .env("COLORBT_SHOW_HIDDEN", "0");
    let output =
        command.stdin(Stdio::null()).output().map_err(|error| format!("{}: {error}", tool.display()))?;
    let text = String::from_utf8_lossy(&output.stderr);
    let verdict = read(&text);
    // The exit code does not tell a failed case from a tool that died; without the last line it died.
    if verdict.all > 0 { Ok(verdict) } else { Err(format!("the tool did not end well:\n{text}")) }
}

fn read(output: &str) -> Verdict {
    let mut verdict = Verdict::default();
    let mut lines = output.lines().peekable();
    while let Some(line) = lines.next() {
        if line.contains("Test passed: ") {
            verdict.passed += 1;
        } else if let Some((_, sum)) = line.split_once("Passed ") {
            // Cases that panicked are counted only here.
            let all = plain(sum).split([' ', '/']).nth(1).and_then(|word| word.parse().ok());
            verdict.all = all.unwrap_or(0);
        } else if let Some((_, message)) = line.split_once("Message: ") {
            verdict.failed.push(format!("a case that panicked: {}", plain(message).trim()));
        } else if let Some((_, name)) = line.split_once("Test failed: ") {
            let mut reason = String::new();
            while let Some(line) = lines.next_if(|line| !is_mark(line)) {
                let line = plain(line);
                if reason.is_empty() && line.trim_start().starts_with("0:") {
                    line.trim_start()[2..].trim().clone_into(&mut reason);
                }
            }
            verdict.failed.push(format!("{name}: {reason}"));
        }
    }
    verdict
}

/// Returns true for a line of the tool itself.
fn is_mark(line: &str) -> bool {
    ["Test passed: ", "Message: ", "Test failed: ", "Running test", "Holding ", "Awaiting ", "Passed "]
        .iter()
        .any(|mark| line.contains(mark))
}

/// Removes colours.
fn plain(line: &str) -> String {
    let mut text = String::new();
    let mut is_escape = false;
    for character in line.chars() {
        match character {
            '\x1b' => is_escape = true,
            'm' if is_escape => is_escape = false,
            _ if is_escape => {}
            _ => text.push(character),
        }
    }
    text
}

const TIMEOUT_MILLIS: &str = "3000";
const CASES: usize = 107;
const BAR: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_report_of_the_tool_is_read() {
        let output = "Will run tests against 127.0.0.1:1\nHolding 1 connections\n✅ Test passed: RFC 9113 :: a :: one\n\
                      Holding 2 connections\n❌ Test failed: RFC 9113 :: a :: two\n\n   0: \x1b[91mconnection closed\x1b[0m\n\
                      \nLocation:\n   x.rs:1\nHolding 3 connections\n✅ Test passed: RFC 9113 :: b :: three\n\
                      The application panicked (crashed).\nMessage:  \x1b[36mpeer hung up\x1b[0m\n\
                      Awaiting local set\n🚄 Passed \x1b[1;32m2/4\x1b[0m tests in\n";
        let failed = ["RFC 9113 :: a :: two: connection closed", "a case that panicked: peer hung up"]
            .map(str::to_owned);
        assert_eq!(read(output), Verdict { passed: 2, failed: failed.to_vec(), all: 4 });
    }
}
