//! A rule with several groups distributes requests among them by weight.

use testkit::{Balancer, Client, Config, Target};

#[test]
fn weighted_groups_share_requests() {
    let (stable, canary, off) = (Target::named("stable"), Target::named("canary"), Target::named("off"));
    let balancer = Balancer::start(
        Config::to(&stable)
            .listener("forward = { app = 3, canary = 1, off = 0 }")
            .also("canary", &canary)
            .also("off", &off),
    );
    let mut client = Client::connect(balancer.web());
    for _ in 0..200 {
        assert_eq!(client.get("/").status(), 200);
    }
    let shares = [&stable, &canary, &off].map(|target| target.requests().len());
    assert!((140..=160).contains(&shares[0]) && shares[0] + shares[1] == 200, "{shares:?}");
}
