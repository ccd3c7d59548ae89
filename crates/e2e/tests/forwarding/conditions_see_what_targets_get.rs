//! A rule's `header` condition does not believe what a peer claims and its target would never get: the condition sees the
//! head as the target will.

use testkit::{Balancer, Config, Target, exchange};

fn answer(balancer: &Balancer, field: &str) -> String {
    exchange(balancer.web(), format!("GET / HTTP/1.1\r\nHost: a\r\n{field}\r\n\r\n")).text()
}

#[test]
fn conditions_see_what_targets_get() {
    for name in ["X-Forwarded-User", "X-Forwarded-Proto", "X-Real-IP", "X-Original-URL"] {
        let target = Target::named("outside");
        let rule =
            format!("header = {{ {name} = \"secret\" }}\nrespond = {{ status = 200, body = \"inside\" }}");
        let field = format!("{name}: secret");
        let balancer = Balancer::start(Config::to(&target).rule(&rule));
        assert_eq!(answer(&balancer, &field), "outside", "a claim of any peer");
        assert!(target.request().fields.iter().all(|(_, value)| value != "secret"), "{name}");

        let trusting = Config::to(&target).listener("trusted_proxies = [\"127.0.0.1\"]").rule(&rule);
        let balancer = Balancer::start(trusting);
        assert_eq!(answer(&balancer, &field), "inside", "the statement of a trusted proxy");
        assert_eq!(answer(&balancer, &field.replace('-', "_")), "outside", "the alias is not passed on");
    }
}

#[test]
fn a_condition_sees_the_fields_that_we_write() {
    let target = Target::named("outside");
    let rule = "header = { X-Forwarded-For = \"127.0.0.1\" }\nrespond = { status = 200, body = \"inside\" }";
    let balancer = Balancer::start(Config::to(&target).rule(rule));
    assert_eq!(answer(&balancer, "X-Forwarded-For: 192.0.2.7"), "inside");
}

#[test]
fn a_field_for_the_next_hop_only_is_not_seen() {
    let target = Target::named("outside");
    let rule = "header = { X-A = \"1\" }\nrespond = { status = 200, body = \"inside\" }";
    let balancer = Balancer::start(Config::to(&target).rule(rule));
    assert_eq!(answer(&balancer, "X-A: 1"), "inside");
    assert_eq!(answer(&balancer, "Connection: x-a\r\nX-A: 1"), "outside");
    assert_eq!(target.request().field("x-a"), None, "the only request that reached the target");
}
