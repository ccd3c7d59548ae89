//! Of several changed files those that are right are served. For a broken one, and for one that has expired already, what
//! was served before stays in use, by a reload too.

use testkit::{Authority, Balancer, Config, Target, wait_until};

#[test]
fn each_file_is_swapped_by_itself() {
    let (authority, target) = (Authority::new("CA"), Target::named("one"));
    let leaf = |name: &str| authority.leaf(&[name]).issue();
    let (a, b, c, new_c) = (leaf("a.example"), leaf("b.example"), leaf("c.example"), leaf("c.example"));
    let config = || Config::to(&target).https(&["a.pem", "b.pem", "c.pem"]);
    let prepared = Balancer::prepare(config()).file("a.pem", &a.pem()).file("b.pem", &b.pem());
    let balancer = prepared.file("c.pem", &c.pem()).start();
    let shown = |name| balancer.tls_client("web").sni(name).connect().handshake().peer_chain[0].clone();

    balancer.write("a.pem", "-----BEGIN CERTIFICATE-----\n");
    balancer.write("b.pem", &authority.leaf(&["b.example"]).expired().issue().pem());
    balancer.write("c.pem", &new_c.pem());
    wait_until("the right one is served", || shown("c.example") == new_c.chain()[0].to_vec());
    wait_until("the status names the others", || {
        let failed = balancer.status()["certificates"]["failed_swap"]["error"].clone();
        failed.as_str().is_some_and(|error| error.contains("a.pem") && error.contains("b.pem"))
    });
    assert_eq!([shown("a.example"), shown("b.example")], [a.chain()[0].to_vec(), b.chain()[0].to_vec()]);
    let run = balancer.run(&["certificates", "reload"]);
    assert!(!run.status.success() && String::from_utf8_lossy(&run.stderr).contains("expired already"));

    balancer.write("a.pem", &a.pem());
    balancer.reload(config()).unwrap();
    assert_eq!(shown("b.example"), b.chain()[0].to_vec());
    balancer.write("b.pem", &leaf("b.example").pem());
    wait_until("the renewed one is served", || shown("b.example") != b.chain()[0].to_vec());
    wait_until("nothing is wrong any more", || balancer.run(&["status"]).status.success());
}
