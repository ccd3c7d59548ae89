//! A target whose certificate expires while Evenkeel runs is refused, though its sessions could be resumed, in which
//! the certificate is not sent again.

use std::time::Duration;

use testkit::{Authority, Balancer, Config, Target, TlsServer, get, ok, wait_until};

#[test]
fn expiry_ends_resumption() {
    let root = Authority::new("Root");
    let leaf = root.leaf(&[]).ends_within(Duration::from_secs(5)).issue();
    let target = Target::https(&TlsServer::new(&leaf), |_| ok("one"));
    // Each request makes a new connection.
    let config = Config::to(&target)
        .group("protocol = \"https\"")
        .group("tls = { ca = \"ca.pem\" }")
        .group("keepalive = { idle_timeout = \"0s\" }");
    let balancer = Balancer::prepare(config).file("ca.pem", &root.pem()).start();
    assert_eq!(get(balancer.web(), "/").status(), 200);
    wait_until("it is refused", || get(balancer.web(), "/").status() != 200);
    assert_eq!(get(balancer.web(), "/refused").reason(), "target_tls_verify");
    let line = balancer.log_line("request_target", "/refused");
    assert!(line["detail"].as_str().is_some_and(|text| text.contains("expired")), "{line}");
}
