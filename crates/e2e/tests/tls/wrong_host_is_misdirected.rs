//! A request for a host whose certificate differs from the connection's gets 421, so that the client opens
//! another connection (TLS2).

use testkit::{Authority, Balancer, Client, Config, Http2Client, Target};

fn start(target: &Target) -> Balancer {
    let root = Authority::new("Root");
    Balancer::prepare(Config::to(target).https(&["one.pem", "other.pem"]))
        .file("one.pem", &root.leaf(&["one.example", "*.one.example"]).issue().pem())
        .file("other.pem", &root.leaf(&["other.example"]).issue().pem())
        .start()
}

fn status(client: &mut Client, host: &str) -> u16 {
    client.send(format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n"));
    client.response().status()
}

#[test]
fn http1() {
    let target = Target::named("served");
    let balancer = start(&target);
    let mut client = balancer.tls_client("web").sni("one.example").connect();
    for (host, expected) in [
        ("one.example", 200),
        ("ONE.example.:8443", 200),
        ("www.one.example", 200),
        ("other.example", 421),
        ("Other.Example:443", 421),
        // The connection is kept.
        ("one.example", 200),
        // An unknown name is served with the first certificate.
        ("unknown.example", 200),
        ("127.0.0.1", 200),
    ] {
        assert_eq!(status(&mut client, host), expected, "{host}");
    }
    let mut client = balancer.tls_client("web").sni("other.example").connect();
    assert_eq!((status(&mut client, "other.example"), status(&mut client, "one.example")), (200, 421));
    assert_eq!(target.requests().len(), 7);
    let counted = || balancer.metric("evenkeel_listener_failures_total", &[("reason", "misdirected")]);
    testkit::wait_until("all three failures are counted", || counted() == 3.0);
}

#[test]
fn http2() {
    let target = Target::named("served");
    let balancer = start(&target);
    let mut client = Http2Client::secure(&balancer.tls_client("web").sni("one.example"));
    for (host, expected) in [
        ("one.example", 200),
        ("other.example", 421),
        ("unknown.example", 200),
        ("www.one.example:8443", 200),
    ] {
        client = client.authority(host);
        let response = client.get("/");
        assert_eq!(response.status(), expected, "{host}");
    }
    assert_eq!(target.requests().len(), 3);
}
