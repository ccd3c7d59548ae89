//! If the disk of an access log is full, the operators' log says how many lines were lost, and when lines are written again
//! (OP6).

use std::fs;
use std::os::unix::fs::symlink;

use testkit::{Balancer, Config, Target, get, wait_until};

#[test]
fn full_log_disk_is_told() {
    let target = Target::named("served");
    let balancer = Balancer::start(Config::to(&target));
    let log = balancer.path("access.log");
    let reopen = || assert!(balancer.run(&["logs", "reopen"]).status.success());
    fs::remove_file(&log).unwrap();
    symlink("/dev/full", &log).unwrap();
    reopen();
    for _ in 0..3 {
        assert_eq!(get(balancer.web(), "/").text(), "served");
    }
    let path = log.display();
    let lost = format!(" error access log: lines lost path={path} lines=");
    wait_until("the lost lines are told of", || balancer.stderr().contains(&lost));
    assert!(balancer.stderr().contains("No space left on device"), "{}", balancer.stderr());

    fs::remove_file(&log).unwrap();
    reopen();
    assert_eq!(get(balancer.web(), "/").text(), "served");
    let back = format!(" info access log: lines are written again path={path} lost=");
    wait_until("the end is told of", || balancer.stderr().contains(&back));
}
