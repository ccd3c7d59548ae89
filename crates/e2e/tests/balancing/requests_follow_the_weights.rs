//! Weighted round robin: equal weights take turns, others get their share, weight 0 gets nothing (BAL1).

use testkit::{Balancer, Client, Config, Target};

#[test]
fn equal_weights_take_turns() {
    let (one, two) = (Target::named("one"), Target::named("two"));
    let balancer = Balancer::start(Config::to_all(&[&one, &two]));
    let mut client = Client::connect(balancer.web());
    let texts: Vec<_> = (0..10).map(|_| client.get("/").text()).collect();
    assert!(texts.windows(2).all(|pair| pair[0] != pair[1]), "{texts:?}");
}

#[test]
fn weights_are_shares_over_all_workers() {
    let targets = [Target::named("a"), Target::named("b"), Target::named("c")];
    let [a, b, c] = &targets;
    let balancer = Balancer::start(Config::weighted(&[(a, 7), (b, 3), (c, 0)]).top("workers = 2"));
    for _ in 0..100 {
        let mut client = Client::connect(balancer.web());
        for _ in 0..5 {
            assert_eq!(client.get("/").status(), 200);
        }
    }
    let shares = [a, b, c].map(|target| target.requests().len());
    assert!((345..=355).contains(&shares[0]) && shares[2] == 0, "{shares:?}");
}
