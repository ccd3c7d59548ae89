//! Target connections are reused with TLS too, but not after the TLS settings or the CA have changed (TLS5).

use testkit::{Authority, Balancer, Config, Target, TlsServer, get, ok, refused_address};

fn config(target: &Target, tls: &str) -> Config {
    Config::to(target).group("protocol = \"https\"").group(tls)
}

const BY_CA: &str = "tls = { ca = \"ca.pem\" }";

#[test]
fn one_connection_serves_many_requests() {
    let root = Authority::new("Root");
    for server in [TlsServer::new(&root.leaf(&[]).issue()), TlsServer::new(&root.leaf(&[]).issue()).tls12()] {
        let target = Target::https(&server, |_| ok("one"));
        let balancer = Balancer::prepare(config(&target, BY_CA)).file("ca.pem", &root.pem()).start();
        for _ in 0..10 {
            assert_eq!(get(balancer.web(), "/").text(), "one");
        }
        assert_eq!((target.requests().len(), target.connections()), (10, 1));
        // A reload that changes something else.
        let same = config(&target, BY_CA).rule("path = \"/x\"\nrespond = { status = 204 }");
        balancer.reload(same).unwrap();
        assert_eq!(get(balancer.web(), "/").text(), "one");
        assert_eq!(target.connections(), 1);
    }
}

#[test]
fn another_ca_means_another_connection() {
    let (root, other) = (Authority::new("Root"), Authority::new("Other root"));
    let target = Target::https(&TlsServer::new(&root.leaf(&[]).issue()), |_| ok("one"));
    let balancer = Balancer::prepare(config(&target, BY_CA)).file("ca.pem", &root.pem()).start();
    assert_eq!(get(balancer.web(), "/").text(), "one");
    // The same file name with other contents.
    balancer.write("ca.pem", &other.pem());
    balancer.reload(config(&target, BY_CA)).unwrap();
    assert_eq!(get(balancer.web(), "/").reason(), "target_tls_verify");
    assert_eq!(target.requests().len(), 1);
    balancer.reload(config(&target, "tls = { verify = false }")).unwrap();
    assert_eq!(get(balancer.web(), "/").text(), "one");
    balancer.reload(config(&target, "tls = { ca = \"ca.pem\", server_name = \"x.internal\" }")).unwrap();
    assert_eq!(get(balancer.web(), "/").reason(), "target_tls_verify");
}

/// A target that fails verification is passed over like one that refuses connections.
#[test]
fn another_target_is_tried() {
    let (root, other) = (Authority::new("Root"), Authority::new("Other root"));
    let bad = Target::https(&TlsServer::new(&other.leaf(&[]).issue()), |_| ok("bad"));
    let good = Target::https(&TlsServer::new(&root.leaf(&[]).issue()), |_| ok("good"));
    let all = Config::to_addresses(&[bad.address(), refused_address(), good.address()]);
    let all = all.group("protocol = \"https\"").group(BY_CA);
    let balancer = Balancer::prepare(all).file("ca.pem", &root.pem()).start();
    for _ in 0..5 {
        assert_eq!(get(balancer.web(), "/").text(), "good");
    }
    assert_eq!(bad.requests().len(), 0);
}

/// After `close_notify` a target gets no further request on that connection.
#[test]
fn close_notify_ends_an_idle_connection() {
    let root = Authority::new("Root");
    let target = Target::tls(&TlsServer::new(&root.leaf(&[]).issue()), |mut connection| {
        connection.request()?;
        connection.send(ok("one"))
    });
    let balancer = Balancer::prepare(config(&target, BY_CA)).file("ca.pem", &root.pem()).start();
    for round in 1..=10 {
        assert_eq!(get(balancer.web(), "/").text(), "one");
        assert_eq!(target.requests().len(), round);
    }
}
