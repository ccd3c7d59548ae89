//! `least_connections` counts open TCP connections; changed weights and reloads cut none (L45, BAL1).

use testkit::{Balancer, Client, Config, wait_until};

use crate::named;

fn config(weights: [u32; 2], targets: [&testkit::Target; 2]) -> Config {
    let [one, other] = targets;
    Config::weighted(&[(one, weights[0]), (other, weights[1])])
        .listener("protocol = \"tcp\"")
        .group("algorithm = \"least_connections\"")
}

#[test]
fn busy_connections_are_counted_for_the_choice() {
    let (one, other) = (named("1"), named("2"));
    let balancer = Balancer::start(config([1, 1], [&one, &other]));
    let mut open = Vec::new();
    for _ in 0..10 {
        let mut client = Client::connect(balancer.web());
        let name = client.read_exactly(1);
        open.push((client, name));
    }
    assert_eq!((one.open(), other.open()), (5, 5));
    for weights in [[1, 0], [0, 1], [3, 1]] {
        balancer.reload(config(weights, [&one, &other])).unwrap();
        for (client, _) in &mut open {
            client.send("still");
            assert_eq!(client.read_exactly(5), b"still", "{weights:?}");
        }
    }
    // Neither does a reload that removes the targets and the listener.
    let spare = named("3");
    let elsewhere = Config::to(&spare).listener("protocol = \"tcp\"").listener("bind = \"127.0.0.9:0\"");
    balancer.reload(elsewhere).unwrap();
    for (client, _) in &mut open {
        client.send("still");
        assert_eq!(client.read_exactly(5), b"still", "the targets are removed");
    }
    drop(open);
    wait_until("all connections are closed", || one.open() + other.open() == 0);
}
