//! The fields of a trusted proxy are kept and appended to, and the client is the address that it names.

use testkit::{Balancer, Client, Config, Target};

const REQUEST: &str = "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 1.2.3.4, 203.0.113.9\r\n\
                       X-Forwarded-For: 127.0.0.3\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: shop.example\r\n\
                       X-Forwarded-Port: 443\r\n\r\n";

fn config(target: &Target) -> Config {
    Config::to(target)
        .listener("trusted_proxies = [\"127.0.0.2\", \"127.0.0.3\"]")
        .rule("source = [\"203.0.113.0/24\"]\nforward = \"app\"\nrequest_headers = { set = { X-Rule = \"source\" } }")
}

#[test]
fn trusted_proxy_is_believed() {
    let target = Target::named("one");
    let balancer = Balancer::start(config(&target));
    let mut client = Client::connect_from([127, 0, 0, 2], balancer.web());
    client.send(REQUEST);
    assert_eq!(client.response().status(), 200);
    let request = target.request();
    assert_eq!(request.all("x-forwarded-for"), ["1.2.3.4, 203.0.113.9, 127.0.0.3, 127.0.0.2"]);
    assert_eq!(request.all("x-forwarded-proto"), ["https"]);
    assert_eq!(request.all("x-forwarded-host"), ["shop.example"]);
    assert_eq!(request.all("x-forwarded-port"), ["443"]);
    assert_eq!(request.field("x-rule"), Some("source"), "the last address that is not trusted is the client");
    let line = balancer.log_line("status", 200);
    assert_eq!(line["client"], "203.0.113.9");
    assert!(line["peer"].as_str().unwrap().starts_with("127.0.0.2:"));
}

#[test]
fn other_clients_are_not_believed() {
    let target = Target::named("one");
    let balancer = Balancer::start(config(&target));
    let mut client = Client::connect_from([127, 0, 0, 4], balancer.web());
    client.send(REQUEST);
    client.response();
    let request = target.request();
    assert_eq!(request.all("x-forwarded-for"), ["127.0.0.4"]);
    assert_eq!((request.field("x-forwarded-proto"), request.field("x-rule")), (Some("http"), None));
}
