//! A second instance that would share a port with a running one fails to start, and takes no connection from
//! it.

use testkit::{Balancer, Config, Target, get};

#[test]
fn second_instance_is_refused() {
    let (one, two) = (Target::named("one"), Target::named("two"));
    let first = Balancer::start(Config::to(&one));
    let bind = format!("bind = \"{}\"", first.web());
    let mut second = Balancer::prepare(Config::to(&two).listener(&bind)).spawn();
    assert_eq!(second.wait_exit().code(), Some(1));
    assert!(second.stderr().contains(&first.web().to_string()), "{}", second.stderr());
    for _ in 0..20 {
        assert_eq!(get(first.web(), "/").text(), "one");
    }
}

#[test]
fn an_invalid_configuration_starts_nothing() {
    let target = Target::named("one");
    let mut balancer = Balancer::prepare(Config::to(&target).listener("nonsense = 1")).spawn();
    assert_eq!(balancer.wait_exit().code(), Some(1));
    assert!(balancer.stderr().contains("nonsense"), "{}", balancer.stderr());
}
