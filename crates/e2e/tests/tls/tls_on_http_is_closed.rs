//! A TLS client on a plain HTTP port is closed cleanly, since it would not understand a response (TLS4).

use testkit::{Balancer, Client, Config, Target, TlsClient, get};

fn refused(balancer: &Balancer) -> f64 {
    balancer.metric("evenkeel_listener_connections_refused_total", &[("reason", "tls")])
}

#[test]
fn tls_on_http_is_closed() {
    let target = Target::named("one");
    let balancer = Balancer::start(Config::to(&target));
    let tls = TlsClient::to(balancer.web());
    let failure = tls.try_connect().unwrap_err();
    assert_eq!((failure.alert, failure.error.kind()), (None, std::io::ErrorKind::UnexpectedEof));
    for length in [1, 2, 100] {
        let mut client = Client::connect(balancer.web());
        client.send(&tls.client_hello()[..length]);
        assert_eq!(client.read().unwrap(), b"", "closed without a response or a reset");
    }
    assert_eq!(refused(&balancer), 4.0);
    assert_eq!(get(balancer.web(), "/").text(), "one");
    balancer.log_line("status", 200);
    assert_eq!(balancer.log_lines().len(), 1, "the refused connections are not logged as requests");
}

#[test]
fn tls_after_a_proxy_header_is_closed_too() {
    let target = Target::named("one");
    let config = Config::to(&target).listener("proxy_protocol = [\"127.0.0.0/8\"]");
    let balancer = Balancer::start(config);
    let mut client = Client::connect(balancer.web());
    client.send("PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n");
    client.send(TlsClient::to(balancer.web()).client_hello());
    assert_eq!(client.read().unwrap(), b"");
    assert_eq!(refused(&balancer), 1.0);
}
