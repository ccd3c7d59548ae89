//! A renewed certificate is served to all new connections; older connections are not affected.

use std::fs;

use testkit::{Authority, Balancer, Config, Target, wait_until};

#[test]
fn renewed_file_is_swapped() {
    let authority = Authority::new("CA");
    let (old, new) = (authority.leaf(&["localhost"]).issue(), authority.leaf(&["localhost"]).issue());
    let target = Target::named("one");
    let config = Config::to(&target).https(&["site.pem"]);
    let balancer = Balancer::prepare(config).file("site.pem", &old.pem()).start();
    let clients = balancer.tls_client("web").trusting(&authority);
    let mut open = clients.connect();
    assert_eq!(open.get("/before").status(), 200);

    // Renewal programs write a new file and rename it.
    balancer.write("next", &new.pem());
    fs::rename(balancer.path("next"), balancer.path("site.pem")).unwrap();
    let shown = || balancer.tls_client("web").trusting(&authority).connect().handshake().peer_chain;
    wait_until("the new certificate is served", || {
        assert_eq!(open.get("/meanwhile").status(), 200);
        shown()[0] == new.chain()[0].to_vec()
    });
    assert_eq!(open.get("/after").status(), 200);
    assert_eq!(open.handshake().peer_chain[0], old.chain()[0].to_vec());
    // Counted when all workers serve it, which is a little later.
    wait_until("the swap is counted", || {
        balancer.metric("evenkeel_certificate_swaps_total", &[("result", "done")]) == 1.0
    });
    wait_until("the log names the file", || balancer.stderr().contains("site.pem"));
}
