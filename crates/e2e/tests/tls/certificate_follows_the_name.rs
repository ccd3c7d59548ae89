//! The requested name chooses the certificate: exact match, then wildcard, then the first one (TLS2).

use testkit::{Authority, Balancer, Client, ClientHello, Config, Leaf, Target};

fn leaves() -> [Leaf; 3] {
    let root = Authority::new("Root");
    [&["default.example"][..], &["*.shop.example"], &["www.shop.example", "shop.example"]]
        .map(|names| root.leaf(names).issue())
}

fn start(target: &Target, leaves: &[Leaf; 3]) -> Balancer {
    let files = ["default.pem", "wildcard.pem", "exact.pem"];
    let prepared = Balancer::prepare(Config::to(target).https(&files));
    let with = |prepared: testkit::Prepared, (name, leaf): (&str, &Leaf)| prepared.file(name, &leaf.pem());
    files.into_iter().zip(leaves).fold(prepared, with).start()
}

#[test]
fn certificate_follows_the_name() {
    let (target, leaves) = (Target::named("one"), leaves());
    let balancer = start(&target, &leaves);
    let [default, wildcard, exact] = &leaves;
    for (name, leaf) in [
        ("default.example", default),
        ("www.shop.example", exact),
        ("shop.example", exact),
        ("api.shop.example", wildcard),
        // A wildcard matches one label.
        ("a.api.shop.example", default),
        ("unknown.example", default),
    ] {
        let mut client = balancer.tls_client("web").sni(name).connect();
        assert_eq!(client.handshake().peer_chain[0], leaf.chain()[0].to_vec(), "{name}");
        client.send(format!("GET / HTTP/1.1\r\nHost: {name}\r\n\r\n"));
        assert_eq!(client.response().status(), 200, "{name}");
    }
    let client = balancer.tls_client("web").without_sni().connect();
    assert_eq!(client.handshake().peer_chain[0], default.chain()[0].to_vec(), "without SNI");
}

/// TLS 1.2 sends the certificate in the clear.
#[test]
fn case_does_not_matter() {
    let (target, leaves) = (Target::named("one"), leaves());
    let balancer = start(&target, &leaves);
    for (name, place) in [(&b"WWW.Shop.Example"[..], 2), (b"API.SHOP.EXAMPLE", 1)] {
        let mut client = Client::connect(balancer.web());
        client.send(ClientHello::default().sni(name).bytes());
        let leaf = &leaves[place].chain()[0];
        let mut shown = Vec::new();
        testkit::wait_until("the certificate", || {
            shown.extend(client.read().unwrap());
            shown.windows(leaf.len()).any(|window| window == &leaf[..])
        });
    }
}
