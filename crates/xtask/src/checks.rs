//! `cargo xtask test` (also called `ci`): every check, the cheap ones first. A failed check does not stop the next ones.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::dependencies::{self, Checked};
use crate::{Outcome, packages, step, tidy, workspace};

/// How many tests passed and failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Count {
    passed: u64,
    failed: u64,
}

pub(crate) fn run() -> Outcome {
    packages::ensure(packages::FOR_TESTS)?;
    let mut count = Count::default();
    let (mut failed, mut unchecked) = (Vec::new(), None);
    let mut check = |name: &'static str, outcome: &mut dyn FnMut() -> Outcome| {
        println!("\n== {name}");
        let begin = Instant::now();
        match step(name, &mut *outcome) {
            Ok(()) => println!("== {name}: ok, {} s", begin.elapsed().as_secs()),
            Err(message) => {
                println!("== {name}: FAILED after {} s\n{message}", begin.elapsed().as_secs());
                failed.push(name);
            }
        }
    };
    check("format", &mut || cargo("fmt --all -- --check"));
    check("tidy", &mut tidy::run);
    check("dependencies", &mut || {
        if let Checked::Without(what) = dependencies::check()? {
            unchecked = Some(what);
        }
        Ok(())
    });
    check("clippy", &mut || cargo("clippy --workspace --all-targets --quiet -- -D warnings"));
    // Uses what clippy has compiled of the dependencies.
    check("documentation", &mut documentation);
    check("tests", &mut || tests(&mut count));
    check("soak", &mut soak);
    println!("\n{} passed, {} failed", count.passed, count.failed);
    if let Some(what) = unchecked {
        println!("NOT CHECKED: {what}");
    }
    if failed.is_empty() { Ok(()) } else { Err(format!("failed: {}", failed.join(", "))) }
}

fn cargo(arguments: &str) -> Outcome {
    workspace::run(workspace::cargo().args(arguments.split(' ')))
}

/// Broken links are errors.
fn documentation() -> Outcome {
    workspace::run(
        workspace::cargo()
            .args(["doc", "--workspace", "--no-deps", "--document-private-items", "--quiet"])
            .env("RUSTDOCFLAGS", "-D warnings"),
    )
}

/// Runs the tests. The scenarios find the real binary by `EVENKEEL_BIN`.
///
/// `cargo test` builds that binary itself, since crate `evenkeel` has tests of its command line. A `cargo build` before
/// it would compile all dependencies a second time, for the dev profile.
fn tests(count: &mut Count) -> Outcome {
    let mut command = workspace::cargo();
    command.args(["test", "--workspace", "--no-fail-fast"]).env(EVENKEEL, binary("evenkeel")?);
    let (found, succeeded) = counted(command)?;
    *count = found;
    // If a crate does not compile, none of its tests fails.
    if succeeded { Ok(()) } else { Err(format!("{} tests failed, or some did not compile", found.failed)) }
}

/// Runs the short soak, with the binaries that `tests` has built: crate `trials` has a test of its command line too.
fn soak() -> Outcome {
    let mut command = Command::new(binary("trials")?);
    workspace::run(command.args(["soak", "--seconds", SOAK_SECONDS]).env(EVENKEEL, binary("evenkeel")?))
}

fn binary(name: &str) -> Outcome<std::path::PathBuf> {
    Ok(workspace::target_directory()?.join("debug").join(name))
}

/// Runs `cargo test`, passes its output on and adds up the results.
fn counted(mut command: Command) -> Outcome<(Count, bool)> {
    let failed = |error: std::io::Error| format!("cargo test: {error}");
    let mut child = command.stdout(Stdio::piped()).spawn().map_err(failed)?;
    let mut count = Count::default();
    if let Some(stdout) = child.stdout.take() {
        for line in BufReader::new(stdout).lines() {
            let line = line.map_err(failed)?;
            println!("{line}");
            count.add(&line);
        }
    }
    let status = child.wait().map_err(failed)?;
    Ok((count, status.success()))
}

impl Count {
    /// Reads lines such as `test result: ok. 7 passed; 0 failed; 0 ignored; …`.
    fn add(&mut self, line: &str) {
        let Some(result) = line.strip_prefix("test result: ") else { return };
        let before = |word: &str| -> u64 {
            let number = result.split(word).next().and_then(|text| text.split_whitespace().last());
            number.and_then(|number| number.parse().ok()).unwrap_or(0)
        };
        self.passed += before(" passed");
        self.failed += before(" failed");
    }
}

const EVENKEEL: &str = "EVENKEEL_BIN";
const SOAK_SECONDS: &str = "60";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_add_up() {
        let mut count = Count::default();
        for line in [
            "test result: ok. 7 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.12s",
            "test tests::one ... ok",
            "test result: FAILED. 42 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out",
        ] {
            count.add(line);
        }
        assert_eq!(count, Count { passed: 49, failed: 1 });
    }

    #[test]
    fn output_is_read_to_its_end() {
        let mut command = Command::new("printf");
        command.arg("noise\\ntest result: ok. 3 passed; 0 failed;\\n");
        assert_eq!(counted(command).unwrap(), (Count { passed: 3, failed: 0 }, true));
        assert!(!counted(Command::new("false")).unwrap().1);
    }
}
