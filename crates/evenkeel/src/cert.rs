//! `evenkeel cert check`

use std::fmt::Write;
use std::path::Path;
use std::process::ExitCode;
use std::time::UNIX_EPOCH;

use serde_json::{Value, json};
use tls::bundle::{self, Problem, Report, Summary, time_text};
use tls::{KnownRoots, Severity};

use crate::output::{done, failed_with, stdout_colors};
use crate::start::wall_clock;

pub(crate) fn check(file: &Path, key: Option<&Path>, hosts: &[String], json: bool) -> ExitCode {
    let now = wall_clock().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let report = report(file, key, hosts, now);
    let text = if json { to_json(&report) } else { to_text(&report, file) };
    if is_fine(&report) { done(&text) } else { failed_with(&text) }
}

fn report(file: &Path, key: Option<&Path>, hosts: &[String], now: u64) -> Report {
    let chain_bytes = bundle::file(file);
    let key_bytes = key.map(bundle::file).transpose();
    let (chain_bytes, key_bytes) = match (chain_bytes, key_bytes) {
        (Ok(chain), Ok(key)) => (chain, key),
        (chain, key) => {
            let problems = [chain.err(), key.err()].into_iter().flatten().collect();
            return Report { problems, ..Report::default() };
        }
    };
    let mut report = bundle::check(&chain_bytes, key_bytes.as_deref(), hosts, now, &KnownRoots::of_system());
    report.problems = report.problems.into_iter().map(|problem| problem.in_files(file, key)).collect();
    report
}

fn is_fine(report: &Report) -> bool {
    !report.problems.iter().any(Problem::is_error)
}

fn to_json(report: &Report) -> String {
    let problems = report.problems.iter().map(|problem| {
        json!({
            "code": problem.code.word(),
            "severity": problem.severity.word(),
            "subject": problem.subject,
            "message": problem.message,
            "hint": problem.hint,
        })
    });
    let chain = report.chain.iter().map(|certificate| {
        json!({
            "subject": certificate.subject,
            "issuer": certificate.issuer,
            "serial": certificate.serial,
            "fingerprint": certificate.fingerprint,
            "not_before": certificate.not_before,
            "not_after": certificate.not_after,
            "key": certificate.key,
        })
    });
    let answer = json!({
        "ok": is_fine(report),
        "problems": problems.collect::<Vec<Value>>(),
        "chain": chain.collect::<Vec<Value>>(),
        "names": report.names,
    });
    format!("{answer}\n")
}

// Writing to a String cannot fail.
fn to_text(report: &Report, file: &Path) -> String {
    let mut out = String::new();
    if !report.chain.is_empty() {
        out.push_str("Sent to clients, in this order:\n");
    }
    for (index, certificate) in report.chain.iter().enumerate() {
        let Summary { subject, issuer, not_before, not_after, key, .. } = certificate;
        let _ = write!(
            out,
            "{:3}. {subject}\n     issued by {issuer}\n     valid from {} until {}, {key}\n",
            index + 1,
            time_text(*not_before),
            time_text(*not_after),
        );
    }
    if !report.names.is_empty() {
        let shown = report.names.len().min(NAMES_SHOWN);
        let more = if shown < report.names.len() { ", …" } else { "" };
        let _ = writeln!(out, "For {}{more}", report.names[..shown].join(", "));
    }
    if !out.is_empty() {
        out.push('\n');
    }
    for problem in &report.problems {
        out.push_str(&problem_text(problem));
    }
    let count = |severity, noun| {
        let number = report.problems.iter().filter(|problem| problem.severity == severity).count();
        format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
    };
    let warnings = count(Severity::Warning, "warning");
    let _ = match is_fine(report) {
        true => writeln!(out, "{}: ok ({warnings})", file.display()),
        false => writeln!(out, "{}: {}, {warnings}", file.display(), count(Severity::Error, "error")),
    };
    out
}

fn problem_text(problem: &Problem) -> String {
    let (level, bold, reset) = match (stdout_colors(), problem.severity) {
        (false, _) => ("", "", ""),
        (true, Severity::Error) => ("\x1b[1;31m", "\x1b[1m", "\x1b[0m"),
        (true, Severity::Warning) => ("\x1b[1;33m", "\x1b[1m", "\x1b[0m"),
    };
    let Problem { code, severity, subject, message, hint } = problem;
    let (severity, code) = (severity.word(), code.word());
    format!(
        "{level}{severity}{reset}{bold}: {subject}: {message}{reset} ({code})\n  = {bold}help{reset}: {hint}\n\n"
    )
}

const NAMES_SHOWN: usize = 20;
