//! Rules choose the group by the client's address; what no rule matches is reset (HTTP1, L41).

use testkit::{Balancer, Client};

use crate::{is_refused, named, tcp};

#[test]
fn rules_go_by_the_source() {
    let (one, other) = (named("1"), named("2"));
    let config = tcp(&one)
        .also("other", &other)
        .without_forward()
        .rule("source = [\"127.0.0.2\"]\nforward = \"app\"")
        .rule("source = [\"127.0.0.3\"]\nforward = \"other\"");
    let balancer = Balancer::start(config);
    for (source, name) in [(2, b"1"), (3, b"2")] {
        let mut client = Client::connect_from([127, 0, 0, source], balancer.web());
        assert_eq!(client.read_exactly(1), name);
    }
    assert_eq!(balancer.log_line("rule", 1)["group"], "other");
    assert!(is_refused(balancer.web()));
    assert_eq!(balancer.log_line("end", "no_rule")["attempts"], 0);
}
