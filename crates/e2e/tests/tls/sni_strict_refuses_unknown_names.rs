//! With `sni_strict` a client that asks for an unknown name, or for none, is refused (TLS2).

use testkit::{Alert, Authority, Balancer, Config, Target};

use crate::expect_handshakes;

#[test]
fn unknown_names_are_refused() {
    let target = Target::named("one");
    let site = Authority::new("Root").leaf(&["a.example"]).issue();
    let balancer = Balancer::prepare(Config::to(&target).https(&["site.pem"]).listener("sni_strict = true"))
        .file("site.pem", &site.pem())
        .start();
    let client = balancer.tls_client("web");
    for client in [client.clone().tls12(), client.tls13()] {
        assert_eq!(client.clone().sni("b.example").refusal(), Some(Alert::UnrecognisedName));
        assert_eq!(client.clone().without_sni().refusal(), Some(Alert::UnrecognisedName));
        assert_eq!(client.sni("a.example").connect().get("/").text(), "one");
    }
    expect_handshakes(&balancer, "unrecognized_name", 4.0);
}
