//! Two balancers with the same key understand each other's cookies, and a key can be replaced without losing a session (SP5).

use testkit::{Balancer, Config};

use crate::users::{KEY, User, three, write_key};

const COOKIE: &str = "persistence = { type = \"cookie\", key_file = \"cookie.key\" }";

#[test]
fn nodes_with_one_key_agree() {
    let targets = three();
    let config = Config::to_all(&targets.each_ref()).group(COOKIE);
    let start = || {
        let prepared = Balancer::prepare(&config);
        write_key(&prepared.path("cookie.key"));
        prepared.start()
    };
    let nodes = [start(), start()];
    for _ in 0..6 {
        let mut user = User::default();
        let first = user.get(nodes[0].web(), "/").text();
        for round in 0..6 {
            let answer = user.get(nodes[(round + 1) % 2].web(), "/");
            assert_eq!((answer.text(), answer.field("set-cookie")), (first.clone(), None));
        }
    }
    let mut user = User::default();
    let first = user.get(nodes[0].web(), "/").text();
    let new = format!("{}\n{KEY}", "ab".repeat(32));
    std::fs::write(nodes[0].path("cookie.key"), &new).unwrap();
    nodes[0].reload(&config).unwrap();
    assert_eq!(user.get(nodes[0].web(), "/").text(), first, "the previous key opens");
}
