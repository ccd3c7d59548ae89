//! Source IP and header hashes send the same client to the same target, across reloads too (BAL1).

use std::collections::{HashMap, HashSet};

use testkit::{Balancer, Client, Config, Target};

#[test]
fn source_ip_hash_is_stable() {
    let targets = [Target::named("a"), Target::named("b"), Target::named("c")];
    let config =
        Config::to_all(&targets.each_ref()).group("algorithm = \"source_ip_hash\"").top("workers = 2");
    let balancer = Balancer::start(&config);
    let mut seen: HashMap<u8, HashSet<String>> = HashMap::new();
    for round in 0..3 {
        for source in 1..=20 {
            let text = Client::connect_from([127, 0, 1, source], balancer.web()).get("/").text();
            seen.entry(source).or_default().insert(text);
        }
        balancer.reload(config.clone().top(&format!("stop_timeout = \"{round}s\""))).unwrap();
    }
    assert!(seen.values().all(|targets| targets.len() == 1), "{seen:?}");
    let used: HashSet<_> = seen.values().flatten().collect();
    assert_eq!(used.len(), 3, "all targets are used");
}

#[test]
fn header_hash_is_stable() {
    let (a, b) = (Target::named("a"), Target::named("b"));
    let hash = "algorithm = \"hash\"\nhash_on = { header = \"X-User\" }";
    let balancer = Balancer::start(Config::to_all(&[&a, &b]).group(hash));
    let mut client = Client::connect(balancer.web());
    let mut ask = |user| {
        client.send(format!("GET / HTTP/1.1\r\nHost: a\r\nx-user: {user}\r\n\r\n"));
        client.response().text()
    };
    let first: Vec<_> = (0..20).map(&mut ask).collect();
    let second: Vec<_> = (0..20).map(&mut ask).collect();
    assert_eq!(first, second);
    assert_eq!(first.iter().collect::<HashSet<_>>().len(), 2);
}
