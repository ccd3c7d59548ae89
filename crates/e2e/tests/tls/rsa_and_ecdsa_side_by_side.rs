//! One name has an RSA and an ECDSA certificate: each client gets one that it can verify (TLS2).

use testkit::{Authority, Balancer, Config, Target};

#[test]
fn rsa_and_ecdsa_side_by_side() {
    let target = Target::named("one");
    let root = Authority::new("Root");
    let ecdsa = root.leaf(&["a.example"]).issue();
    let rsa = root.leaf(&["a.example"]).rsa().issue();
    for files in [["ecdsa.pem", "rsa.pem"], ["rsa.pem", "ecdsa.pem"]] {
        let balancer = Balancer::prepare(Config::to(&target).https(&files))
            .file("ecdsa.pem", &ecdsa.pem())
            .file("rsa.pem", &rsa.pem())
            .start();
        let client = balancer.tls_client("web").sni("a.example").trusting(&root);
        for (suites, leaf) in [("ECDHE_RSA", &rsa), ("ECDHE_ECDSA", &ecdsa)] {
            let mut client = client.clone().suites(&[suites]).tls12().connect();
            assert_eq!(client.handshake().peer_chain[0], leaf.chain()[0].to_vec(), "{suites}");
            client.send("GET / HTTP/1.1\r\nHost: a.example\r\n\r\n");
            assert_eq!(client.response().status(), 200);
        }
        // A client that supports both gets the first.
        let first = if files[0] == "rsa.pem" { &rsa } else { &ecdsa };
        assert_eq!(client.connect().handshake().peer_chain[0], first.chain()[0].to_vec());
    }
}
