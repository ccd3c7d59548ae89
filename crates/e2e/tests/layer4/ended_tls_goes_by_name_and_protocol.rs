//! With `protocol = "tcp_ssl"` rules go by the name and the protocol of the handshake that was made here (L41).

use testkit::{Alert, Authority, Balancer, Config, Target};

use crate::named;

fn start(rules: &[&str], one: &Target, two: &Target, has_forward: bool) -> Balancer {
    let mut config = Config::to(one)
        .also("two", two)
        .listener("protocol = \"tcp_ssl\"")
        .listener("certificates = [\"any.pem\"]");
    config = rules.iter().fold(config, |config, rule| config.rule(rule));
    let config = if has_forward { config } else { config.without_forward() };
    let leaf = Authority::new("Root").leaf(&["*.example"]).issue();
    Balancer::prepare(config).file("any.pem", &leaf.pem()).start()
}

#[test]
fn names_choose_the_group() {
    let (one, two) = (named("1"), named("2"));
    let balancer = start(&["sni = \"b.example\"\nforward = \"two\""], &one, &two, true);
    for (name, first) in [("a.example", b"1"), ("b.example", b"2")] {
        assert_eq!(balancer.tls_client("web").sni(name).connect().read_exactly(1), first, "{name}");
    }
}

#[test]
fn a_protocol_is_agreed_on_that_has_a_rule() {
    let (one, two) = (named("1"), named("2"));
    let rules = [
        "sni = \"a.example\"\nalpn = [\"x\", \"y\"]\nforward = \"app\"",
        "sni = \"b.example\"\nalpn = \"postgresql\"\nforward = \"two\"",
    ];
    let balancer = start(&rules, &one, &two, false);
    for (name, offered, chosen, first) in [
        ("a.example", &["y", "x"][..], "x", b"1"),
        ("a.example", &["postgresql", "y"], "y", b"1"),
        ("b.example", &["x", "postgresql"], "postgresql", b"2"),
    ] {
        let mut client = balancer.tls_client("web").sni(name).alpn(offered).connect();
        assert_eq!(client.read_exactly(1), first);
        assert_eq!(client.handshake().alpn.as_deref(), Some(chosen), "{name} {offered:?}");
    }
    let refused = balancer.tls_client("web").sni("a.example").alpn(&["postgresql"]).try_connect();
    assert_eq!(refused.unwrap_err().alert, Some(Alert::NoApplicationProtocol));
}

#[test]
fn without_a_rule_for_its_protocols_a_client_goes_to_the_default() {
    let (one, two) = (named("1"), named("2"));
    let balancer = start(&["alpn = \"x\"\nforward = \"two\""], &one, &two, true);
    for (offered, chosen, first) in [(&["x"][..], Some("x"), b"2"), (&["y"], None, b"1"), (&[], None, b"1")] {
        let mut client = balancer.tls_client("web").sni("a.example").alpn(offered).connect();
        assert_eq!(client.read_exactly(1), first, "{offered:?}");
        assert_eq!(client.handshake().alpn.as_deref(), chosen);
    }
}
