//! A certificate that expires while it is served stops nothing: the others are renewed, the configuration is reloaded and
//! the balancer restarts. Status, metrics and log say which file it is.

use std::time::Duration;

use testkit::{Authority, Balancer, Config, Target, wait_until};

#[test]
fn expired_certificate_holds_back_no_other() {
    let (authority, target) = (Authority::new("CA"), Target::named("one"));
    let leaf = |name: &str| authority.leaf(&[name]).issue();
    let (a, renewed, c) = (leaf("a.example"), leaf("a.example"), leaf("c.example"));
    let b = authority.leaf(&["b.example"]).ends_within(Duration::from_secs(3)).issue();
    let config = || Config::to(&target).https(&["a.pem", "b.pem", "c.pem"]);
    let start = |first: &testkit::Leaf| {
        let prepared = Balancer::prepare(config()).file("a.pem", &first.pem());
        prepared.file("b.pem", &b.pem()).file("c.pem", &c.pem()).start()
    };
    let balancer = start(&a);
    let shown = |balancer: &Balancer, name| {
        balancer.tls_client("web").sni(name).connect().handshake().peer_chain[0].clone()
    };
    wait_until("it is in the status", || {
        balancer.status()["certificates"]["expired"][0].as_str().is_some_and(|line| line.contains("b.pem"))
    });
    assert_eq!(balancer.metric("evenkeel_listener_certificates_expired", &[]), 1.0);

    balancer.write("a.pem", &renewed.pem());
    wait_until("another is renewed", || shown(&balancer, "a.example") == renewed.chain()[0].to_vec());
    balancer.reload(config()).unwrap();
    wait_until("the log names the file", || balancer.stderr().contains("has expired: renew it"));
    let run = balancer.run(&["status"]);
    let text = String::from_utf8_lossy(&run.stdout);
    assert!(!run.status.success() && text.contains("EXPIRED: ") && text.contains("b.pem"), "{text}");

    let restarted = start(&renewed);
    assert_eq!(shown(&restarted, "c.example"), c.chain()[0].to_vec());
    assert_eq!(shown(&restarted, "b.example"), b.chain()[0].to_vec(), "its clients get a clear error");
}
