//! Before the first check result, no target is known to be healthy. Requests are tried on all targets instead
//! of refused (BAL2).

use testkit::{Balancer, Config, Target, get, ok};

#[test]
fn start_does_not_wait_for_checks() {
    let target = Target::script(|mut connection| {
        let request = connection.request()?;
        if request.target() == "/healthz" {
            // No result arrives before the check times out.
            return connection.stall();
        }
        connection.send(ok("served"))
    });
    let check =
        "health_check = { type = \"http\", path = \"/healthz\", interval = \"60s\", timeout = \"60s\" }";
    let balancer = Balancer::start(Config::to(&target).group(check));
    assert_eq!(get(balancer.web(), "/").text(), "served");
    assert_eq!(balancer.targets()[0]["health"], "unknown");
    assert_eq!(balancer.status()["groups"][0]["fail_open"], false);
}
