//! A client whose certificate is refused leaves a line with its address and the reason in the operators' log, and so does one
//! that refuses ours; a port scan leaves none (OP6).

use testkit::{Alert, Authority, Balancer, Client, Config, Target, wait_until};

#[test]
fn refused_client_certificate_is_told() {
    let (root, target) = (Authority::new("Root"), Target::named("never"));
    let auth = "client_auth = { mode = \"required\", ca = \"ca.pem\" }";
    let balancer = Balancer::prepare(Config::to(&target).https(&["site.pem"]).listener(auth))
        .file("site.pem", &root.leaf(&[]).issue().pem())
        .file("ca.pem", &root.pem())
        .start();
    Client::connect(balancer.web()).half_close();
    for (certificate, alert, reason) in [
        (Some(root.client("a").expired().issue()), Alert::CertificateExpired, "client_certificate_expired"),
        (Some(Authority::new("X").client("a").issue()), Alert::UnknownCA, "client_certificate_unknown_ca"),
        (None, Alert::CertificateRequired, "client_certificate_missing"),
    ] {
        let client = balancer.tls_client("web").sni("shop.example");
        let client = certificate.iter().fold(client, |client, certificate| client.certificate(certificate));
        assert_eq!(client.refusal(), Some(alert));
        let line = format!(
            " warning a client's certificate was refused reason={reason} listener=web server_name=shop.example \
             peer=127.0.0.1:"
        );
        wait_until(&line, || balancer.stderr().contains(&line));
    }
    let log = balancer.stderr();
    assert_eq!(log.matches("hint=\"`client_auth` says").count(), 3, "{log}");
    assert!(!log.contains("a TLS handshake failed"), "the port scan:\n{log}");
    Client::connect(balancer.web()).send(b"\x16\x03\x01\x00\x00");
    let line = " info a TLS handshake failed reason=malformed listener=web server_name=- peer=127.0.0.1:";
    wait_until("another failure is told, not loudly", || balancer.stderr().contains(line));
}

#[test]
fn client_that_refuses_our_certificate_is_told_with_the_name() {
    let target = Target::named("never");
    let balancer = Balancer::prepare(Config::to(&target).https(&["site.pem"]))
        .file("site.pem", &Authority::new("Root").leaf(&["a.example"]).issue().pem())
        .start();
    let stranger = Authority::new("Other root");
    let refuses = balancer.tls_client("web").trusting(&stranger);
    for (client, name) in
        [(refuses.clone().sni("shop.example"), "shop.example"), (refuses.without_sni(), "-")]
    {
        assert!(client.try_connect().is_err());
        let line =
            format!(" a client refused our certificate listener=web server_name={name} peer=127.0.0.1:");
        wait_until(&line, || balancer.stderr().contains(&line));
    }
}
