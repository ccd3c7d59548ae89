//! A client that a list denies is reset before a target is connected (HTTP8).

use testkit::{Balancer, Client};

use crate::{is_reset, named, tcp};

#[test]
fn access_lists_reset() {
    let target = named("1");
    let config = tcp(&target)
        .listener("access = { deny = [\"127.0.0.2\"] }")
        .rule("access = { deny = [\"127.0.0.3\"] }\nsource = [\"127.0.0.0/24\"]\nforward = \"app\"");
    let balancer = Balancer::start(config);
    for (source, detail) in [(2, "by the listener"), (3, "by the rule")] {
        assert!(is_reset(&mut Client::connect_from([127, 0, 0, source], balancer.web())));
        let line = balancer.log_line("detail", detail);
        assert_eq!((&line["end"], &line["ended_by"]), (&"access_denied".into(), &"client".into()));
    }
    assert_eq!(target.connections(), 0);
    assert_eq!(Client::connect_from([127, 0, 0, 4], balancer.web()).read_exactly(1), b"1");
}
