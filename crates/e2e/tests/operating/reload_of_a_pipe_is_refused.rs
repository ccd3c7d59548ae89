//! A configuration whose path has become a named pipe would block a reload until the pipe has a writer, and the stop with
//! it. A reload reads regular files only.

use std::fs;
use std::process::Command;

use testkit::{Balancer, Config, Signal, Target, get, wait_until};

#[test]
fn reload_of_a_pipe_is_refused() {
    let target = Target::named("served");
    let mut balancer = Balancer::start(Config::to(&target).top("stop_timeout = \"2s\""));
    let path = balancer.path("evenkeel.toml");
    fs::remove_file(&path).unwrap();
    assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
    balancer.signal(Signal::HUP);
    wait_until("the reload is refused", || {
        let error = balancer.status()["last_reload"]["error"].to_string();
        error.contains("evenkeel.toml") && error.contains("not a regular file")
    });
    assert_eq!(get(balancer.web(), "/").text(), "served");
    balancer.signal(Signal::TERM);
    assert_eq!(balancer.wait_exit().code(), Some(0));
}
