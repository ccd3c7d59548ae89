//! `cargo xtask h2-conformance`: the cases of `httpwg-cli` (RFC 9113 and RFC 7541, as h2spec had them) against a listener
//! that is spoken to by prior knowledge. The tool knows no TLS.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use testkit::{Target, response};

use crate::stand_in::Server;
use crate::{Outcome, workspace};

/// What the tool said.
#[derive(Debug, Default, PartialEq, Eq)]
struct Verdict {
    passed: usize,
    /// Each with what the tool says about it.
    failed: Vec<String>,
    all: usize,
}

pub(crate) fn run(arguments: &[String]) -> Outcome {
    let (mut server, mut address, mut filter) = (Server::Evenkeel, None, None);
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        let mut word = || arguments.next().ok_or_else(|| format!("{argument} takes a word\n{USAGE}"));
        match argument.as_str() {
            "--server" => server = Server::parse(word()?)?,
            "--against" => address = Some(word()?.clone()),
            "--filter" => filter = Some(word()?.clone()),
            _ => return Err(USAGE.to_owned()),
        }
    }
    let tool = install()?;
    let verdict = match address {
        Some(address) => judge(&tool, &address, filter.as_deref())?,
        None => {
            server.prepare("dev")?;
            // Some cases want a body, to see how it is sent under their windows.
            let target = Target::http(|_| response(200, "", &"0123456789abcdef".repeat(64)));
            let running = server.start("dev", target.address())?;
            judge(&tool, &running.http2.to_string(), filter.as_deref())?
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

/// Builds the tool where it is not there yet.
fn install() -> Outcome<PathBuf> {
    let target = workspace::target_directory()?;
    let (root, tool) = (target.join("tools"), target.join("tools/bin/httpwg"));
    if !tool.is_file() {
        println!("installing httpwg-cli {VERSION}");
        let mut cargo = workspace::cargo();
        cargo
            .args(["install", "--quiet", "--locked", "httpwg-cli", "--version", VERSION, "--root"])
            .arg(&root);
        workspace::run(cargo.env("CARGO_TARGET_DIR", target.join("tools-build")))?;
    }
    Ok(tool)
}

fn judge(tool: &PathBuf, address: &str, filter: Option<&str>) -> Outcome<Verdict> {
    let mut command = Command::new(tool);
    command.args(["--address", address]);
    command.args(["--connect-timeout", TIMEOUT_MILLIS, "--frame-timeout", TIMEOUT_MILLIS]);
    if let Some(filter) = filter {
        command.args(["--filter", filter]);
    }
    // One at a time: what a case sees is not another's load.
    command
        .env("SEQUENTIAL", "1")
        .env("NO_COLOR", "1")
        .env("RUST_LOG", "error")
        .env("COLORBT_SHOW_HIDDEN", "0");
    let output =
        command.stdin(Stdio::null()).output().map_err(|error| format!("{}: {error}", tool.display()))?;
    let text = String::from_utf8_lossy(&output.stderr);
    let verdict = read(&text);
    // Its exit is a failure where a case failed; where it died the last line is missing.
    if verdict.all > 0 { Ok(verdict) } else { Err(format!("the tool did not end well:\n{text}")) }
}

fn read(output: &str) -> Verdict {
    let mut verdict = Verdict::default();
    let mut lines = output.lines().peekable();
    while let Some(line) = lines.next() {
        if line.contains("Test passed: ") {
            verdict.passed += 1;
        } else if let Some((_, sum)) = line.split_once("Passed ") {
            // The cases that panicked are in here only.
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

/// Whether a line is the tool's own.
fn is_mark(line: &str) -> bool {
    ["Test passed: ", "Message: ", "Test failed: ", "Running test", "Holding ", "Awaiting ", "Passed "]
        .iter()
        .any(|mark| line.contains(mark))
}

/// Without colours.
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

const VERSION: &str = "0.2.5";
const TIMEOUT_MILLIS: &str = "3000";
const CASES: usize = 107;
const BAR: usize = 100;

const USAGE: &str = "usage: cargo xtask h2-conformance [--server NAME] [--against ADDRESS] [--filter WORDS]

  --server   evenkeel, or haproxy or nginx to see what the tool thinks of them
  --against  a server that runs already
  --filter   only cases with these words in their name";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tools_words_are_read() {
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
