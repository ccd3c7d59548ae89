//! `status` names what is wrong, where, and what to do, and its exit code is 1 then; `targets` shows the last failed request to
//! each target. One failure alone is no problem.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::Value;
use testkit::{Balancer, Config, Target, get, ok, wait_until};

fn status(balancer: &Balancer) -> (Option<i32>, String) {
    let output = balancer.run(&["status"]);
    (output.status.code(), String::from_utf8(output.stdout).unwrap())
}

#[test]
fn a_target_that_fails_requests_is_a_problem() {
    let serves = Arc::new(AtomicBool::new(false));
    let target = Target::script({
        let serves = Arc::clone(&serves);
        move |mut connection| {
            connection.request()?;
            if serves.load(Ordering::SeqCst) { connection.send(ok("served")) } else { Ok(()) }
        }
    });
    let balancer = Balancer::start(Config::to(&target));
    for count in 1..=3 {
        let (code, page) = status(&balancer);
        assert_eq!(code, Some(0), "after {} failures\n{page}", count - 1);
        assert_eq!(get(balancer.web(), "/").status(), 502);
    }
    let (code, page) = status(&balancer);
    assert_eq!(code, Some(1), "{page}");
    assert!(
        page.contains(&format!("PROBLEMS\n  target {} of app: 3 of 3 requests failed", target.address())),
        "{page}"
    );
    let table = String::from_utf8(balancer.run(&["targets"]).stdout).unwrap();
    assert!(table.contains("last failed request 0s ago: target_closed_before_response"), "{table}");

    let json: Value = serde_json::from_slice(&balancer.run(&["status", "--json"]).stdout).unwrap();
    let problem = &json["problems"][0];
    assert_eq!(problem["where"], format!("target {} of app", target.address()), "{json}");
    assert!(
        problem["what"].as_str().unwrap().contains("target_closed_before_response")
            && problem["do"].is_string(),
        "{json}"
    );
    assert_eq!(balancer.targets()[0]["last_failure"]["reason"], "target_closed_before_response");

    serves.store(true, Ordering::SeqCst);
    assert_eq!(get(balancer.web(), "/").status(), 200);
    let page = status(&balancer).1;
    assert!(page.contains("3 of 4 requests failed") && page.contains("; 1 were served since"), "{page}");
}

#[test]
fn a_group_without_a_target_that_can_be_connected_is_a_problem() {
    let address = Target::named("dead").kill();
    let balancer = Balancer::start(Config::to_addresses(&[address]));
    assert_eq!(status(&balancer).0, Some(0), "nothing was tried");
    assert_eq!(get(balancer.web(), "/").status(), 502);
    let (code, page) = status(&balancer);
    assert_eq!(code, Some(1), "{page}");
    assert!(
        page.contains("target group app: no target could be connected when that was last tried, "),
        "{page}"
    );
    assert!(page.contains("target_refused"), "{page}");

    let _back = Target::http_at(address, |_| ok("back"));
    assert_eq!(get(balancer.web(), "/").status(), 200);
    let (code, page) = status(&balancer);
    assert_eq!(code, Some(0), "{page}");
}

#[test]
fn an_unhealthy_target_is_a_problem() {
    let (well, sick) = (Target::named("well"), Target::named("sick"));
    let check = "health_check = { type = \"tcp\", interval = \"100ms\", healthy = 1, unhealthy = 1 }";
    let balancer = Balancer::start(Config::to_all(&[&well, &sick]).group(check));
    balancer.wait_for_health(sick.address(), "healthy");
    assert_eq!(status(&balancer).0, Some(0));
    let address = sick.kill();
    balancer.wait_for_health(address, "unhealthy");
    let (code, page) = status(&balancer);
    assert_eq!(code, Some(1), "{page}");
    assert!(page.contains(&format!("target {address} of app: it is unhealthy since ")), "{page}");
}

#[test]
fn a_full_disk_is_a_problem() {
    let target = Target::named("one");
    let log = "access_log = { path = \"/dev/full\" }";
    let balancer = Balancer::start(Config::to(&target).listener(log));
    assert_eq!(status(&balancer).0, Some(0));
    get(balancer.web(), "/");
    wait_until("the log's error is in the status", || {
        let (code, page) = status(&balancer);
        code == Some(1)
            && page.contains("access log /dev/full: lines are lost: No space left on device")
            && page.contains("access logs: 1 lines were lost in the last 5 minutes")
    });
}
