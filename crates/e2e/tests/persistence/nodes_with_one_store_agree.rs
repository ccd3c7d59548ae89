//! Two balancers on one store send a session to the same target, a restart keeps it, and a target that dies moves it once for
//! both (SP9).

use std::path::Path;

use testkit::{Balancer, Client, Config, Target, ok};

use crate::redis::Redis;
use crate::users::{User, node, three, with_sessions};

const BY_ADDRESS: &str = "persistence = { type = \"source_ip\", timeout = \"5m\", store = \"shared\" }";
const LEARN: &str =
    "persistence = { type = \"cookie\", mode = \"learn\", name = \"SID\", store = \"shared\" }";

/// The patience of machines under load is longer than the default.
fn store(settings: &str) -> String {
    format!("[session_store.shared]\n{settings}\ntimeout = \"1s\"\nkey_file = \"store.key\"\n")
}

fn stores(folder: &Path, redis: &Redis) -> [String; 3] {
    let path = folder.display();
    [
        format!("type = \"file\"\npath = \"{path}/files\""),
        format!("type = \"sql\"\nurl = \"sqlite://{path}/sessions.db\""),
        format!("type = \"redis\"\nurl = \"redis://127.0.0.1:{}\"", redis.port()),
    ]
}

#[test]
fn an_address_goes_to_one_target_through_both() {
    let (folder, redis) = (tempfile::tempdir().unwrap(), Redis::start());
    for settings in stores(folder.path(), &redis) {
        let targets = three();
        let config =
            Config::to_all(&targets.each_ref()).group(BY_ADDRESS).text(&store(&settings)).top("workers = 2");
        let mut nodes = [node(&config), node(&config)];
        let ask = |nodes: &[Balancer; 2], user: u8, node: usize| {
            Client::connect_from([127, 0, 2, user], nodes[node].web()).get("/").text()
        };
        let homes: Vec<_> = (1..=12).map(|user| ask(&nodes, user, usize::from(user % 2))).collect();
        for node in [0, 1, 1, 0] {
            for user in 1..=12 {
                assert_eq!(ask(&nodes, user, node), homes[usize::from(user) - 1], "{settings}");
            }
        }
        drop(nodes[1].restart());
        for user in 1..=12 {
            assert_eq!(ask(&nodes, user, 1), homes[usize::from(user) - 1], "{settings}: after a restart");
        }
        assert!(homes.iter().collect::<std::collections::HashSet<_>>().len() > 1);
    }
}

#[test]
fn a_learned_cookie_is_known_to_both() {
    let (folder, redis) = (tempfile::tempdir().unwrap(), Redis::start());
    for settings in stores(folder.path(), &redis) {
        let targets = [with_sessions("a"), with_sessions("b"), with_sessions("c")];
        let config = Config::to_all(&targets.each_ref()).group(LEARN).text(&store(&settings));
        let nodes = [node(&config), node(&config)];
        for number in 0..12 {
            let mut user = User::default();
            let first = user.get(nodes[number % 2].web(), &format!("/{number}")).text();
            for round in 1..5 {
                let answer = user.get(nodes[(number + round) % 2].web(), "/");
                assert_eq!(answer.text(), first, "{settings}");
            }
        }
    }
}

#[test]
fn a_dead_target_moves_a_session_once_for_both() {
    let redis = Redis::start();
    let [a, b, c] = three();
    let settings = format!("type = \"redis\"\nurl = \"redis://127.0.0.1:{}\"", redis.port());
    let config = Config::to_all(&[&a, &b, &c]).group(BY_ADDRESS).text(&store(&settings));
    let nodes = [node(&config), node(&config)];
    let ask = |node: usize| Client::connect_from([127, 0, 3, 1], nodes[node].web()).get("/").text();
    let first = ask(0);
    assert_eq!(ask(1), first);
    let (_alive, dead): (Vec<_>, Vec<_>) =
        [("a", a), ("b", b), ("c", c)].into_iter().partition(|(name, _)| *name != first);
    let address = dead.into_iter().next().unwrap().1.kill();
    let second = ask(0);
    assert_ne!(second, first);
    assert_eq!(ask(1), second, "the other node finds where it is now");
    let _again = Target::http_at(address, |_| ok("again"));
    assert_eq!([ask(0), ask(1), ask(0), ask(1)], [&*second; 4], "and there it stays");
}
