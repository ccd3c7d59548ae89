//! A target that is removed and added again still has its open connections, for `least_connections` too (L41).

use testkit::{Balancer, Config};

use crate::{connect, echo, named};

#[test]
fn removed_target_still_counts() {
    let (busy, other) = (echo(), named("other"));
    let with = |targets: &[&testkit::Target]| {
        Config::to_all(targets).listener("protocol = \"tcp\"").group("algorithm = \"least_connections\"")
    };
    let balancer = Balancer::start(with(&[&busy]));
    let _open = [connect(&balancer), connect(&balancer)];
    balancer.reload(with(&[&other])).unwrap();
    balancer.reload(with(&[&busy, &other])).unwrap();
    let address = busy.address().to_string();
    let targets = balancer.targets();
    let view = targets.iter().find(|target| target["address"] == address.as_str()).unwrap();
    assert_eq!((&view["in_flight"], &view["requests"]), (&2.into(), &2.into()));
    for _ in 0..2 {
        let mut client = testkit::Client::connect(balancer.web());
        assert_eq!(client.read_exactly(5), b"other", "the other one has fewer connections");
    }
}
