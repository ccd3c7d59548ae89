//! With `type = "source_ip"` the connections of one address go to one target. The clock of a session starts when its last
//! connection is over (SP1).

use std::collections::HashSet;

use serde_json::Value;
use testkit::{Balancer, Client, Config, Target, wait_until};

use crate::{named, tcp_to_all};

#[test]
fn address_goes_to_one_target() {
    let targets = [named("a"), named("b"), named("c")];
    let balancer = Balancer::start(config(&targets, "5m").top("workers = 2"));
    let first: Vec<_> = (1..=30).map(|source| ask(&balancer, source)).collect();
    let names: HashSet<_> = first.iter().map(|(_, name)| name.clone()).collect();
    assert_eq!(names.len(), 3, "the algorithm chose at first");
    for (source, (_, name)) in (1..=30).zip(&first) {
        assert_eq!(ask(&balancer, source).1, *name, "{source}");
    }
    assert_eq!(balancer.log_line("session", "kept")["end"], "closed");
    assert_eq!(sessions(&balancer).len(), 30);
}

#[test]
fn an_open_connection_holds_its_session() {
    let targets = [named("a"), named("b"), named("c")];
    let balancer = Balancer::start(config(&targets, "1s"));
    let (held, name) = ask(&balancer, 1);
    drop(ask(&balancer, 2));
    // The session of the connection that is over goes first, although the other one has been silent for longer.
    wait_until("one session is over", || sessions(&balancer).len() == 1);
    assert_eq!(sessions(&balancer)[0]["key"], "127.0.1.1/32");
    assert_eq!(ask(&balancer, 1).1, name);
    drop(held);
    wait_until("the other session is over", || sessions(&balancer).is_empty());
}

fn config(targets: &[Target; 3], timeout: &str) -> Config {
    let persistence = format!("persistence = {{ type = \"source_ip\", timeout = \"{timeout}\" }}");
    tcp_to_all(&targets.each_ref()).group(&persistence)
}

/// Connects from this address; also returns the name of the target.
fn ask(balancer: &Balancer, source: u8) -> (Client, Vec<u8>) {
    let mut client = Client::connect_from([127, 0, 1, source], balancer.web());
    let name = client.read_exactly(1);
    (client, name)
}

fn sessions(balancer: &Balancer) -> Vec<Value> {
    let listed = balancer.run(&["sessions", "--json"]);
    let lines = String::from_utf8(listed.stdout).unwrap();
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}
