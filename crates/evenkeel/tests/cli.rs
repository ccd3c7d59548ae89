//! The command line as scripts use it: exit codes, output streams, signals.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

const PLAIN: &str = "\
workers = 1
stop_timeout = \"2s\"
[listener.web]
bind = \"127.0.0.1:0\"
forward = \"app\"
[target_group.app]
targets = [\"127.0.0.1:1\"]
";

fn evenkeel(dir: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_evenkeel"));
    command
        .current_dir(dir)
        .args(arguments)
        .env("EVENKEEL_ADMIN", "unix:admin.sock")
        .env_remove("NOTIFY_SOCKET");
    command
}

fn answer(dir: &Path, arguments: &[&str]) -> (i32, String, String) {
    let Output { status, stdout, stderr } = evenkeel(dir, arguments).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code().unwrap(), text(stdout), text(stderr))
}

fn directory(config: &str) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("e.toml"), config).unwrap();
    dir
}

/// A running load balancer; it is killed if a test fails.
struct Running(Child, BufReader<std::process::ChildStderr>);

impl Running {
    /// Starts it and returns once it serves.
    fn start(dir: &Path) -> Self {
        let mut child = evenkeel(dir, &["run", "-c", "e.toml"]).stderr(Stdio::piped()).spawn().unwrap();
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        stderr.read_line(&mut line).unwrap();
        assert!(line.starts_with("serving listener web at 127.0.0.1:"), "{line}");
        assert!(line.ends_with(" (generation 1, 1 worker)\n"), "{line}");
        Self(child, stderr)
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.0), signal).unwrap();
    }

    /// Waits for its end; returns the exit code and the rest of its log.
    fn end(mut self) -> (i32, String) {
        let mut log = String::new();
        self.1.read_to_string(&mut log).unwrap();
        (self.0.wait().unwrap().code().unwrap(), log)
    }

    fn log_line(&mut self) -> String {
        let mut line = String::new();
        self.1.read_line(&mut line).unwrap();
        line
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
    }
}

#[test]
fn check_reports_errors_by_exit_code() {
    let dir = directory(PLAIN);
    let (code, out, _) = answer(dir.path(), &["check", "e.toml"]);
    assert_eq!(
        (code, out.as_str()),
        (0, "e.toml: ok (1 listener, 0 rules, 1 target group, 1 target, 0 warnings)\n")
    );

    fs::write(dir.path().join("e.toml"), "[listener.web]\nbnd = 1\n").unwrap();
    let (code, out, _) = answer(dir.path(), &["check", "e.toml"]);
    assert!(code == 1 && out.contains("e.toml:2:1") && out.ends_with(" errors\n"), "{out}");
    let (code, out, _) = answer(dir.path(), &["check", "--json", "e.toml"]);
    assert!(
        code == 1 && out.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()),
        "{out}"
    );
    let (code, _, err) = answer(dir.path(), &["run", "-c", "e.toml"]);
    assert!(code == 1 && err.contains("e.toml:2:1") && err.contains("nothing was started"), "{err}");
}

#[test]
fn check_shows_warnings_beside_errors() {
    let unused = "[target_group.unused]\ntargets = [\"127.0.0.1:1\"]\n";
    let dir = directory(
        &PLAIN.replace("workers = 1", "wrkers = 1").replace("[listener", &format!("{unused}[listener")),
    );
    let (code, out, _) = answer(dir.path(), &["check", "e.toml"]);
    assert_eq!(code, 1, "{out}");
    assert!(out.contains("nothing forwards to target group `unused`"), "{out}");
    assert!(out.contains("wrkers") && out.ends_with("e.toml: 1 error, 1 warning\n"), "{out}");
    let (_, out, _) = answer(dir.path(), &["check", "--json", "e.toml"]);
    assert!(out.contains("\"severity\":\"warning\"") && out.contains("\"severity\":\"error\""), "{out}");
}

#[test]
fn help_knows_commands_and_keys() {
    let dir = directory(PLAIN);
    for (arguments, code, part) in [
        (&["help"][..], 0, "Exit codes"),
        (&["help", "run"], 0, "--config"),
        (&["help", "keepalive_timeout"], 0, "default: \"75s\""),
        (&["help", "status"], 0, "As a key of the configuration"),
        (&["help", "keepalive_timout"], 2, "did you mean `keepalive_timeout`?"),
        (&["nonsense"], 2, "Usage"),
        (&["status", "--admin", "127.0.0.1:1"], 2, "unix:"),
        (&["--version"], 0, "evenkeel 0."),
        (&["version"], 0, "evenkeel 0."),
        (&["schema"], 0, "json-schema.org"),
    ] {
        let (got, out, err) = answer(dir.path(), arguments);
        assert!(
            got == code && (out.contains(part) || err.contains(part)),
            "{arguments:?}: {got}\n{out}\n{err}"
        );
    }
}

#[test]
fn without_a_running_evenkeel_the_message_has_a_hint() {
    let dir = directory(PLAIN);
    for command in ["status", "targets", "reload"] {
        let (code, out, err) = answer(dir.path(), &[command]);
        assert!(code == 1 && out.is_empty(), "{command}: {out}");
        assert!(err.contains("no evenkeel answers at unix:admin.sock") && err.contains("help:"), "{err}");
    }
}

#[test]
fn run_serves_reloads_and_stops() {
    let dir = directory(PLAIN);
    let mut running = Running::start(dir.path());
    let (code, out, _) = answer(dir.path(), &["status"]);
    assert!(code == 0 && out.contains("generation 1, 1 worker\n") && out.contains("web "), "{out}");
    let (code, out, _) = answer(dir.path(), &["targets", "--json"]);
    let target: serde_json::Value = serde_json::from_str(out.trim_end()).unwrap();
    assert_eq!(
        (code, &target["address"], &target["health"]),
        (0, &"127.0.0.1:1".into(), &"unchecked".into())
    );

    let (code, out, _) = answer(dir.path(), &["reload"]);
    assert_eq!((code, out.as_str()), (0, "reloaded: generation 2 serves\n"));
    assert!(running.log_line().contains("info reloaded the configuration generation=2"));

    fs::write(dir.path().join("e.toml"), "[listener.web]\n").unwrap();
    let (code, _, err) = answer(dir.path(), &["reload"]);
    assert!(code == 1 && err.contains("e.toml:1:") && err.contains("nothing was changed"), "{err}");
    assert_eq!(answer(dir.path(), &["status"]).0, 1, "the last reload failed");

    let (code, _, err) = answer(dir.path(), &["run", "-c", "e.toml"]);
    assert!(code == 1 && !err.is_empty());
    running.signal(Signal::TERM);
    let (code, log) = running.end();
    assert!(code == 0 && log.ends_with("info stopped connections_cut=0\n"), "{log}");
    assert!(!dir.path().join("admin.sock").exists());
}

#[test]
fn signals_reload_and_reopen_logs() {
    let dir = directory(PLAIN);
    let mut running = Running::start(dir.path());
    running.signal(Signal::HUP);
    assert!(running.log_line().contains("reloaded the configuration generation=2"));
    running.signal(Signal::USR1);
    assert!(running.log_line().contains("reopened the access logs"));
    running.signal(Signal::INT);
    assert_eq!(running.end().0, 0);
}

#[test]
fn a_second_instance_is_refused_with_the_reason() {
    let dir = directory(PLAIN);
    let running = Running::start(dir.path());
    let (code, _, err) = answer(dir.path(), &["run", "-c", "e.toml"]);
    assert!(code == 1 && err.contains("another evenkeel answers at the admin socket"), "{err}");
    assert_eq!(answer(dir.path(), &["status"]).0, 0);
    running.signal(Signal::TERM);
    assert_eq!(running.end().0, 0);
}

/// A directory with a self-signed certificate made by OpenSSL, and its key in `site.key`.
fn openssl_directory() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let line = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 90 -subj /CN=site \
                -addext subjectAltName=DNS:www.example.com,DNS:*.example.org -keyout site.key -out site.pem";
    let made =
        Command::new("openssl").args(line.split_whitespace()).current_dir(dir.path()).output().unwrap();
    assert!(made.status.success(), "{made:?}");
    dir
}

#[test]
fn cert_check_shows_the_chain_and_all_problems() {
    let dir = openssl_directory();
    let check = |arguments: &[&str]| answer(dir.path(), &[&["cert", "check"], arguments].concat());
    let (code, text, _) = check(&["site.pem", "--key", "site.key", "--host", "a.example.org"]);
    assert_eq!(code, 0, "{text}");
    assert!(
        text.starts_with("Sent to clients, in this order:\n  1. CN=site\n     issued by CN=site\n"),
        "{text}"
    );
    assert!(text.contains("ECDSA P-256\nFor www.example.com, *.example.org\n\nwarning: CN=site: "), "{text}");
    assert!(
        text.contains("(self_signed)\n  = help: ") && text.ends_with("site.pem: ok (1 warning)\n"),
        "{text}"
    );

    let (code, text, _) = check(&["site.pem", "--host", "www.example.com", "--host", "b.a.example.org"]);
    assert_eq!(code, 1);
    assert!(text.contains("error: site.pem: the file has no private key (no_key)"), "{text}");
    assert!(
        text.contains(
            "error: b.a.example.org: the certificate CN=site is for www.example.com, *.example.org"
        )
    );
    assert!(text.ends_with("site.pem: 2 errors, 1 warning\n"), "{text}");

    let (code, text, _) = check(&["site.pem", "--key", "no such file"]);
    assert_eq!(code, 1);
    assert!(text.starts_with("error: no such file: No such file"), "{text}");
    assert_eq!(check(&[]).0, 2);
    assert_eq!(check(&["site.pem", "--hots", "x"]).0, 2);
}

#[test]
fn cert_check_prints_json() {
    let dir = openssl_directory();
    for (arguments, exit, words) in [
        (&["site.pem", "--key", "site.key"][..], 0, &["self_signed"][..]),
        (&["site.pem"], 1, &["no_key", "self_signed"]),
        (&["site.key", "--key", "site.pem"], 1, &["no_certificate"]),
        (&["absent.pem"], 1, &["unreadable"]),
        (&["e.toml"], 1, &["not_pem"]),
    ] {
        fs::write(dir.path().join("e.toml"), PLAIN).unwrap();
        let (code, text, _) = answer(dir.path(), &[&["cert", "check", "--json"], arguments].concat());
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!((code, value["ok"].as_bool().unwrap()), (exit, exit == 0), "{text}");
        let problems = value["problems"].as_array().unwrap();
        let found: Vec<_> = problems.iter().map(|problem| problem["code"].as_str().unwrap()).collect();
        assert_eq!(found, words, "{text}");
        for problem in problems {
            for field in ["severity", "subject", "message", "hint"] {
                assert!(!problem[field].as_str().unwrap().is_empty(), "{text}");
            }
        }
    }
}
