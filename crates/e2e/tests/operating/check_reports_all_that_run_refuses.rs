//! `check` reports in one round all that `run` would refuse: syntax, keys, and every file that the configuration names. It
//! reads pipes and standard input as well.

use std::process::{Command, Stdio};

use testkit::{Balancer, Prepared};

/// One mistake in each kind of file. `{KEY}` is a mistake in a key, or in the syntax.
const WRONG: &str = r#"
[listener.web]
bind = "127.0.0.1:0"
protocol = "https"
certificates = ["no/site.pem"]
forward = "app"
error_pages = { 503 = "no/sorry.html" }
access = { deny = [{ file = "no/denied.txt" }] }
access_log = { path = "no/access.log" }
client_auth = { mode = "required", ca = "no/clients.pem", crl = ["no/revoked.pem"] }
[target_group.app]
targets = ["127.0.0.1:1"]
protocol = "https"
tls = { ca = "no/targets.pem" }
[load_balancer.default]
{KEY}
"#;

const FILES: [&str; 7] = [
    "no/site.pem",
    "no/sorry.html",
    "no/denied.txt",
    "no/access.log",
    "no/clients.pem",
    "no/revoked.pem",
    "no/targets.pem",
];

#[test]
fn check_reports_all_that_run_refuses() {
    for (key, message) in [
        ("keepalive_timeout = \"75x\"", "75x"),
        ("keepalive_timeout = 75s", "not valid TOML"),
        ("keepalive_timeoutt = \"75s\"", "keepalive_timeoutt"),
    ] {
        let prepared = Balancer::prepare(WRONG.replace("{KEY}", key));
        let (code, checked) = output(&mut prepared.command(&["check", "evenkeel.toml"]));
        assert_eq!(code, Some(1), "{checked}");
        for part in FILES.iter().chain([&message]) {
            assert!(checked.contains(part), "{part} is not in\n{checked}");
        }
        let (code, ran) = output(&mut prepared.command(&["run", "-c", "evenkeel.toml"]));
        assert_eq!(code, Some(1), "{ran}");
        let errors = |text: &str| text.lines().filter(|l| l.starts_with("error: ")).count();
        // Its last line says that nothing was started.
        assert_eq!(errors(&ran), errors(&checked) + 1, "{checked}\n{ran}");
    }
}

#[test]
fn a_configuration_can_come_from_a_pipe() {
    let text = "[listener.web]\nbind = \"127.0.0.1:0\"\nforward = \"app\"\nerror_pages = { 503 = \"sorry.txt\" }\n\
                [target_group.app]\ntargets = [\"127.0.0.1:1\"]\n";
    let prepared = Balancer::prepare(text).file("sorry.txt", "Sorry");
    let wrong = text.replace("sorry.txt", "gone.txt");
    let prepared = prepared.file("wrong.toml", &wrong);
    for (script, ok) in [
        ("cat evenkeel.toml | \"$0\" check -", true),
        ("cat evenkeel.toml | \"$0\" check /dev/stdin", true),
        ("\"$0\" check <(cat evenkeel.toml)", true),
        ("\"$0\" check -c <(cat evenkeel.toml)", true),
        ("\"$0\" check -c evenkeel.toml", true),
        ("cat wrong.toml | \"$0\" check -", false),
        ("\"$0\" check <(cat wrong.toml)", false),
        ("\"$0\" run -c <(cat wrong.toml)", false),
    ] {
        let (code, answer) = shell(&prepared, script);
        assert_eq!(code, Some(i32::from(!ok)), "{script}\n{answer}");
        // Files are relative to the current directory; the line is shown, though it cannot be read a second time.
        assert!(answer.contains(if ok { ": ok (" } else { "4 | error_pages = " }), "{script}\n{answer}");
    }
}

fn shell(prepared: &Prepared, script: &str) -> (Option<i32>, String) {
    let binary = prepared.command(&[]).get_program().to_owned();
    let mut bash = Command::new("bash");
    bash.args(["-c", script]).arg(binary).current_dir(prepared.path(""));
    output(&mut bash)
}

/// The exit code, and all that was printed.
fn output(command: &mut Command) -> (Option<i32>, String) {
    let output = command.stdin(Stdio::null()).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout) + &text(output.stderr))
}
