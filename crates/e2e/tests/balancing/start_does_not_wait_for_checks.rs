//! Before the first result of a check, no target is known to be healthy: requests are tried on all of them rather than
//! refused (BAL2).

use testkit::{Balancer, Config, Target, get, ok};

#[test]
fn start_does_not_wait_for_checks() {
    let target = Target::script(|mut connection| {
        let request = connection.request()?;
        if request.target() == "/healthz" {
            // The result stays away for the check's whole timeout.
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
