//! With `type = "source_ip"` the requests of one address go to one target, on all workers and through reloads. The address may
//! be the one behind a trusted proxy, and addresses count by prefix (SP1, SP2).

use std::collections::{HashMap, HashSet};

use testkit::{Balancer, Client, Config};

use crate::users::three;

#[test]
fn address_goes_to_one_target() {
    let targets = three();
    let config = Config::to_all(&targets.each_ref())
        .group("persistence = { type = \"source_ip\", timeout = \"5m\" }")
        .top("workers = 2");
    let balancer = Balancer::start(&config);
    let mut seen: HashMap<u8, HashSet<String>> = HashMap::new();
    for round in 0..3 {
        for source in 1..=30 {
            let text = Client::connect_from([127, 0, 1, source], balancer.web()).get("/").text();
            seen.entry(source).or_default().insert(text);
        }
        balancer.reload(config.clone().top(&format!("stop_timeout = \"{round}s\""))).unwrap();
    }
    assert!(seen.values().all(|targets| targets.len() == 1), "{seen:?}");
    let used: HashSet<_> = seen.values().flatten().collect();
    assert_eq!(used.len(), 3, "the algorithm chose at first");
}

#[test]
fn a_forwarded_address_counts_by_its_prefix() {
    let targets = three();
    let config = Config::to_all(&targets.each_ref()).listener("trusted_proxies = [\"127.0.0.0/8\"]").group(
        "persistence = { type = \"source_ip\", timeout = \"5m\", from = \"forwarded\", prefix_v4 = 24 }",
    );
    let balancer = Balancer::start(config);
    let mut client = Client::connect(balancer.web());
    let mut ask = |address: &str| {
        client.send(format!("GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: {address}\r\n\r\n"));
        client.response().text()
    };
    let first = ask("192.0.2.1");
    for address in ["192.0.2.200", "::ffff:192.0.2.7", "192.0.2.9, 127.0.0.9"] {
        assert_eq!(ask(address), first, "{address}");
    }
    let v6 = ask("2001:db8:1:2::1");
    assert_eq!(ask("2001:db8:1:2:ffff::9"), v6, "64 bits are one client");
    let others: HashSet<_> = (0..6).map(|net| ask(&format!("198.51.{net}.1"))).collect();
    assert_eq!(others.len(), 3);
    assert!(
        (0..6).map(|_| ask("unknown")).collect::<HashSet<_>>().len() == 3,
        "the unknown are not one client"
    );
}
