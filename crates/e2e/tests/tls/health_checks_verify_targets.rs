//! Health checks verify targets with TLS as requests do (TLS5, HC1).

use testkit::{Authority, Balancer, Config, Target, TlsServer, get, ok};

#[test]
fn health_checks_verify_targets() {
    let (root, other) = (Authority::new("Root"), Authority::new("Other root"));
    let good = Target::https(&TlsServer::new(&root.leaf(&[]).issue()), |_| ok("good"));
    let bad = Target::https(&TlsServer::new(&other.leaf(&[]).issue()), |_| ok("bad"));
    let config = Config::to_all(&[&good, &bad])
        .group("protocol = \"https\"")
        .group("tls = { ca = \"ca.pem\" }")
        .group(
            "health_check = { type = \"https\", path = \"/healthz\", interval = \"1s\", timeout = \"1s\" }",
        );
    let balancer = Balancer::prepare(config).file("ca.pem", &root.pem()).start();
    balancer.wait_for_health(good.address(), "healthy");
    balancer.wait_for_health(bad.address(), "unhealthy");
    for _ in 0..4 {
        assert_eq!(get(balancer.web(), "/").text(), "good");
    }
    assert!(good.requests().iter().any(|request| request.target() == "/healthz"));
    assert_eq!(bad.requests().len(), 0);
}
