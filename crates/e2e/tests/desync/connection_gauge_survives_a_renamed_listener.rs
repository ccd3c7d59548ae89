//! A connection that was counted for one listener is subtracted from the same one, even if a reload gave its
//! address to another listener (OP6).

use testkit::{Balancer, Client, Config, Target, get, wait_until};

const OPEN: &str = "evenkeel_listener_connections_open";

#[test]
fn connection_gauge_survives_a_renamed_listener() {
    let target = Target::named("served");
    let web = Config::to(&target).to_string();
    let renamed = web.replace("[listener.web]", "[listener.renamed]");
    let balancer = Balancer::start(&web);
    let address = balancer.web();
    let mut client = Client::connect(address);
    client.get("/");
    assert_eq!(balancer.metric(OPEN, &[("listener", "web")]), 1.0);
    balancer.reload(&renamed).unwrap();
    assert_eq!(balancer.address("renamed"), address, "the same socket");
    assert_eq!(client.get("/").text(), "served");
    let mut after = Client::connect(address);
    after.get("/");
    assert_eq!(balancer.metric(OPEN, &[("listener", "renamed")]), 1.0);
    drop((client, after));
    let opens =
        || balancer.metrics().lines().filter(|line| line.starts_with(OPEN)).map(str::to_owned).collect();
    wait_until("no connection is counted", || {
        let opens: Vec<String> = opens();
        assert!(!opens.iter().any(|line| line.contains('-')), "{opens:?}");
        opens.iter().all(|line| line.ends_with(" 0"))
    });
    // Back to the old name, whose count may have been kept.
    balancer.reload(&web).unwrap();
    get(address, "/");
    wait_until("the count is 0", || balancer.metric(OPEN, &[("listener", "web")]) == 0.0);
}
