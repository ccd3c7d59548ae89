//! A TLS client that no rule takes gets an alert which says why, and never reaches a target (L41).

use std::time::Duration;

use testkit::{Alert, Balancer, Client, ClientHello, Config};

use crate::{echo, is_reset, tcp};

fn rules(target: &testkit::Target) -> Config {
    tcp(target)
        .listener("handshake_timeout = \"1s\"")
        .without_forward()
        .rule("sni = \"a.example\"\nalpn = \"h2\"\nforward = \"app\"")
}

#[test]
fn an_unknown_name_gets_an_alert() {
    let target = echo();
    let balancer = Balancer::start(rules(&target));
    let failure = balancer.tls_client("web").sni("b.example").try_connect().unwrap_err();
    assert_eq!(failure.alert, Some(Alert::UnrecognisedName));
    let line = balancer.log_line("end", "tls_unrecognized_name");
    assert_eq!((&line["server_name"], &line["ended_by"]), (&"b.example".into(), &"client".into()));
    let failure = balancer.tls_client("web").without_sni().try_connect().unwrap_err();
    assert_eq!(failure.alert, Some(Alert::UnrecognisedName), "no name");
    let labels = [("listener", "web"), ("reason", "tls_unrecognized_name")];
    assert_eq!(balancer.metric("evenkeel_listener_failures_total", &labels), 2.0);
    assert_eq!(target.connections(), 0);
}

#[test]
fn an_unknown_protocol_gets_an_alert() {
    let target = echo();
    let balancer = Balancer::start(rules(&target));
    for offered in [&[][..], &["http/1.1"]] {
        let client = balancer.tls_client("web").sni("a.example").alpn(offered);
        let failure = client.try_connect().unwrap_err();
        assert_eq!(failure.alert, Some(Alert::NoApplicationProtocol));
    }
    balancer.log_line("end", "tls_no_protocol");
    assert_eq!(target.connections(), 0);
}

#[test]
fn a_malformed_hello_gets_an_alert() {
    let target = echo();
    let balancer = Balancer::start(rules(&target).listener("forward = \"app\""));
    let two_names = ClientHello::default().sni(b"a.example").extension(0, &[0, 4, 0, 0, 1, b'x']);
    let mut client = Client::connect(balancer.web());
    client.send(two_names.bytes());
    assert_eq!(client.plain_alert(), Some(Alert::IllegalParameter));
    balancer.log_line("end", "tls_hello_malformed");
    assert_eq!(target.connections(), 0, "not even with a `forward`: the target may read it differently");
}

#[test]
fn a_hello_that_does_not_end_is_reset() {
    let target = echo();
    let balancer = Balancer::start(rules(&target).listener("forward = \"app\""));
    let hello = ClientHello::default().sni(b"a.example").bytes();
    let mut client = Client::connect(balancer.web());
    // More bytes do not give it more time.
    let sent = client.send_slowly(&hello, Duration::from_millis(50));
    assert!(sent < hello.len(), "{sent}");
    let mut client = Client::connect(balancer.web());
    client.send(&hello[..40]);
    assert!(is_reset(&mut client));
    let labels = [("listener", "web"), ("reason", "tls_hello_timeout")];
    assert_eq!(balancer.metric("evenkeel_listener_failures_total", &labels), 2.0);
    let mut client = Client::connect(balancer.web());
    client.send(&hello[..40]);
    client.half_close();
    assert!(is_reset(&mut client));
    assert_eq!(balancer.log_line("end", "tls_hello_malformed")["detail"], "its end is missing");
    assert_eq!(target.connections(), 0);
}
