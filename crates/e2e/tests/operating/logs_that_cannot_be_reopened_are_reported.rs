//! `evenkeel logs reopen` fails with the path and the reason if a log cannot be reopened. The other logs are, lines go on
//! to the old file meanwhile, and to the new one as soon as it can be opened.

use std::fs;

use testkit::{Balancer, Config, Target, get, wait_until};

#[test]
fn logs_that_cannot_be_reopened_are_reported() {
    let target = Target::named("one");
    let second =
        "[listener.b]\nbind = \"127.0.0.2:0\"\nforward = \"app\"\naccess_log = { path = \"b.log\" }\n";
    let prepared = Balancer::prepare(Config::to(&target).listener(LOG).text(second));
    let folder = prepared.path("logs");
    fs::create_dir(&folder).unwrap();
    let balancer = prepared.start();
    let reopen = || balancer.run(&["logs", "reopen"]);
    assert_eq!(reopen().status.code(), Some(0));

    fs::rename(&folder, balancer.path("old")).unwrap();
    fs::rename(balancer.path("b.log"), balancer.path("b.log.1")).unwrap();
    let answer = reopen();
    let stderr = String::from_utf8(answer.stderr).unwrap();
    assert_eq!(answer.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("logs/a.log cannot be reopened: No such file or directory"), "{stderr}");
    assert!(stderr.contains("1 of 2 access logs not reopened"), "{stderr}");
    assert!(balancer.path("b.log").exists(), "each is reopened by itself");
    let stderr = balancer.stderr();
    assert!(stderr.contains("cannot reopen path="), "{stderr}");

    let has = |file: &str, line: &str| {
        fs::read_to_string(balancer.path(file)).is_ok_and(|text| text.contains(line))
    };
    get(balancer.web(), "/meanwhile");
    wait_until("the line is in the old file", || has("old/a.log", "/meanwhile"));
    fs::create_dir(&folder).unwrap();
    get(balancer.web(), "/later");
    wait_until("the line is in the new file, without another reopen", || has("logs/a.log", "/later"));
    assert_eq!(reopen().status.code(), Some(0));
}

const LOG: &str = "access_log = { path = \"logs/a.log\" }";
