//! A renewed certificate is served after a reload, and open connections are kept (CH3).

use testkit::{Authority, Balancer, Config, Leaf, Target};

use crate::https;

#[test]
fn a_renewed_certificate_is_served_and_connections_are_kept() {
    let root = Authority::new("Root");
    let target = Target::named("one");
    let leaves = [root.leaf(&[]).issue(), root.leaf(&[]).issue()];
    let balancer = Balancer::prepare(https(&target)).file("site.pem", &leaves[0].pem()).start();
    let shown = |config: Config, leaf: &Leaf| {
        balancer.write("site.pem", &leaf.pem());
        balancer.reload(config).unwrap();
        balancer.tls_client("web").connect().handshake().peer_chain[0].clone()
    };
    let mut connected = balancer.tls_client("web").connect();
    for leaf in leaves.iter().rev() {
        connected.get("/");
        assert_eq!(shown(https(&target), leaf), leaf.chain()[0].to_vec());
        assert_eq!(connected.get("/").text(), "one");
    }
}
