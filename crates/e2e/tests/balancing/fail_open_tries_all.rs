//! If every target is unhealthy, all are tried, and the status reports it (BAL2).

use testkit::{Balancer, Config, Target, get, ok, response, wait_until};

#[test]
fn fail_open_tries_all() {
    let target = Target::http(|request| match request.target() {
        "/healthz" => response(500, "", ""),
        _ => ok("served"),
    });
    let check =
        "health_check = { type = \"http\", path = \"/healthz\", interval = \"100ms\", unhealthy = 1 }";
    let balancer = Balancer::start(Config::to(&target).group(check));
    balancer.wait_for_health(target.address(), "unhealthy");
    wait_until("the status reports fail open", || balancer.status()["groups"][0]["fail_open"] == true);
    assert_eq!(get(balancer.web(), "/").text(), "served");
}
