//! A key that does not match its chain is reported once. The old certificate stays in use until the key is
//! right.

use testkit::{Authority, Balancer, Config, Target, wait_until};

#[test]
fn broken_key_changes_nothing() {
    let authority = Authority::new("CA");
    let (old, new) = (authority.leaf(&[]).issue(), authority.leaf(&[]).issue());
    let target = Target::named("one");
    let config = Config::to(&target)
        .listener("protocol = \"https\"")
        .listener("certificates = [{ cert = \"chain.pem\", key = \"key.pem\" }]");
    let files = Balancer::prepare(config).file("chain.pem", &old.chain_pem());
    let balancer = files.file("key.pem", &old.key_pem()).start();
    let shown = || balancer.tls_client("web").connect().handshake().peer_chain;
    let failed = || balancer.metric("evenkeel_certificate_swaps_total", &[("result", "failed")]);

    balancer.write("key.pem", &new.key_pem());
    wait_until("the status reports the failure", || {
        let status = balancer.status();
        status["certificates"]["failed_swap"]["error"]
            .as_str()
            .is_some_and(|error| error.contains("key_mismatch"))
    });
    assert_eq!(shown()[0], old.chain()[0].to_vec());
    assert_eq!(balancer.tls_client("web").connect().get("/").status(), 200);
    let run = balancer.run(&["status"]);
    assert!(
        !run.status.success()
            && String::from_utf8_lossy(&run.stdout).contains("LAST SWAP OF CERTIFICATES FAILED")
    );
    let run = balancer.run(&["certificates", "reload"]);
    assert!(
        !run.status.success() && String::from_utf8_lossy(&run.stderr).contains("key_mismatch"),
        "{run:?}"
    );

    balancer.write("chain.pem", &new.chain_pem());
    wait_until("the new certificate is served", || shown()[0] == new.chain()[0].to_vec());
    wait_until("the status reports no failure", || {
        balancer.status()["certificates"]["failed_swap"].is_null()
    });
    // One automatic attempt, and one by command.
    assert_eq!(failed(), 2.0);
    assert_eq!(balancer.stderr().matches("the certificates were not swapped").count(), 2);
}
