//! `X-Forwarded-*` are on and `Forwarded` is off by default; both are configurable.

use testkit::{Balancer, Client, Config, Target};

#[test]
fn forwarded_fields_are_written() {
    let target = Target::named("one");
    let balancer = Balancer::start(Config::to(&target));
    Client::connect_from([127, 0, 0, 7], balancer.web()).get("/");
    let request = target.request();
    assert_eq!(request.all("x-forwarded-for"), ["127.0.0.7"]);
    assert_eq!(request.all("x-forwarded-proto"), ["http"]);
    assert_eq!(request.all("x-forwarded-host"), ["shop.example"]);
    assert_eq!(request.all("x-forwarded-port"), [balancer.web().port().to_string()]);
    assert_eq!(request.field("forwarded"), None);
}

#[test]
fn forwarded_is_written_on_demand() {
    let target = Target::named("one");
    let balancer = Balancer::start(Config::to(&target).listener("x_forwarded = false\nforwarded = true"));
    Client::connect_from([127, 0, 0, 7], balancer.web()).get("/");
    let request = target.request();
    assert_eq!(request.all("forwarded"), ["for=127.0.0.7;host=\"shop.example\";proto=http"]);
    assert!(!request.fields.iter().any(|(name, _)| name.to_ascii_lowercase().starts_with("x-forwarded")));
}
