//! Suites in other languages: a script prints a line for each case, `ok NAME` or `FAIL NAME: why`.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use xtask::Outcome;

/// The results of all suites so far.
#[derive(Debug)]
pub(crate) struct Results {
    began: Instant,
    passed: AtomicUsize,
    failed: AtomicUsize,
}

impl Results {
    pub(crate) fn new() -> Self {
        Self { began: Instant::now(), passed: AtomicUsize::new(0), failed: AtomicUsize::new(0) }
    }

    /// Prints and counts a line of the suite `suite`. Returns false if the line is not a result.
    pub(crate) fn line(&self, suite: &str, line: &str) -> bool {
        let Some((result, case)) = line.split_once(' ') else { return false };
        let counter = if result == "ok" { &self.passed } else { &self.failed };
        counter.fetch_add(1, Ordering::Relaxed);
        println!("{result:4} {suite}: {case}");
        true
    }

    /// Counts a suite that broke off.
    pub(crate) fn broken(&self, suite: &str, why: &str) {
        self.line(suite, &format!("FAIL {why}"));
    }

    /// Prints the sums. A failed case is an error.
    pub(crate) fn outcome(&self) -> Outcome {
        let (passed, failed) = (self.passed.load(Ordering::Relaxed), self.failed.load(Ordering::Relaxed));
        println!("{passed} passed, {failed} failed, {} s", self.began.elapsed().as_secs());
        if failed == 0 { Ok(()) } else { Err(format!("{failed} cases failed")) }
    }
}

/// Runs a script to its end and passes on each line of its output as it comes.
pub(crate) fn lines(command: &mut Command, mut each: impl FnMut(&str)) -> Outcome<ExitStatus> {
    let name = format!("{command:?}");
    let failed = |error: std::io::Error| format!("{name}: {error}");
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().map_err(failed)?;
    let output = child.stdout.take().into_iter().flat_map(|output| BufReader::new(output).lines());
    output.map_while(Result::ok).for_each(|line| each(&line));
    child.wait().map_err(failed)
}

/// A script of this crate.
pub(crate) fn path(trial: &str, name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(trial).join(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_counted() {
        let results = Results::new();
        let mut command = Command::new("printf");
        command.arg("ok one\\nnoise\\nFAIL two: why\\nok three\\n");
        let mut counted = 0;
        let status = lines(&mut command, |line| counted += usize::from(results.line("suite", line)));
        assert!(status.unwrap().success());
        assert_eq!(counted, 3);
        assert_eq!(results.outcome(), Err("1 cases failed".to_owned()));
    }

    #[test]
    fn every_script_is_there() {
        for (trial, names) in [
            (
                "conformance",
                &["apache.conf", "count.sh", "gadgets.txt", "gunicorn_app.py", "nginx.conf", "node.js"][..],
            ),
            ("grpc", &["client.py", "server.py"]),
            ("sessions", &["page.html"]),
            ("websockets", &["client.js", "client.py", "page.html", "server.js", "server.py"]),
        ] {
            for name in names {
                assert!(path(trial, name).is_file(), "{trial}/{name}");
            }
        }
    }
}
