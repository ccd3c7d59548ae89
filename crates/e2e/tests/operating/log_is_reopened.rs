//! SIGUSR1 reopens the access log at its path, and no line is lost.

use std::fs;

use testkit::{Balancer, Config, Signal, Target, get, wait_until};

#[test]
fn log_is_reopened() {
    let target = Target::named("one");
    let balancer = Balancer::start(Config::to(&target));
    get(balancer.web(), "/before");
    balancer.log_line("request_target", "/before");
    fs::rename(balancer.path("access.log"), balancer.path("rotated.log")).unwrap();
    get(balancer.web(), "/between");
    balancer.signal(Signal::USR1);
    wait_until("the file exists again", || balancer.path("access.log").exists());
    get(balancer.web(), "/after");
    balancer.log_line("request_target", "/after");
    wait_until("no line is lost", || {
        let old = fs::read_to_string(balancer.path("rotated.log")).unwrap();
        let new = fs::read_to_string(balancer.path("access.log")).unwrap();
        assert!(!new.contains("/before") && !old.contains("/after"));
        old.contains("/before") && format!("{old}{new}").contains("/between")
    });
}
