//! A bundle in any order is served in the right one, and a broken bundle changes nothing (CH1, CH3).

use testkit::{Authority, Balancer, Leaf, Target, pem};

use crate::https;

/// A leaf with four intermediates, and the root: six certificates.
fn six() -> (Authority, Leaf) {
    let root = Authority::new("Root");
    let first = root.intermediate("First").intermediate("Second");
    let leaf = first.intermediate("Third").intermediate("Fourth").leaf(&[]).issue();
    (root, leaf)
}

/// The certificates of the chain and the root in this order, with comments, blank lines and CRLF between them.
fn bundle(root: &Authority, leaf: &Leaf, order: [usize; 6]) -> String {
    let mut all: Vec<_> = leaf.chain().iter().map(|one| pem("CERTIFICATE", one)).collect();
    all.push(root.pem());
    let text: String = order.iter().map(|&place| format!("# {place}\n\n{}\n", all[place])).collect();
    text.replace('\n', "\r\n")
}

#[test]
fn six_shuffled_certificates_are_served_as_five_in_order() {
    let (root, leaf) = six();
    let target = Target::named("one");
    let served: Vec<_> = leaf.chain().iter().map(|one| one.to_vec()).collect();
    assert_eq!(served.len(), 5);
    for order in [[0, 1, 2, 3, 4, 5], [5, 4, 3, 2, 1, 0], [3, 5, 1, 0, 4, 2]] {
        let text = bundle(&root, &leaf, order) + &leaf.key_pem();
        let balancer = Balancer::prepare(https(&target)).file("site.pem", &text).start();
        for client in [balancer.tls_client("web").tls12(), balancer.tls_client("web").tls13()] {
            let mut client = client.trusting(&root).connect();
            assert_eq!(client.handshake().peer_chain, served, "{order:?}");
            assert_eq!(client.get("/").text(), "one");
        }
    }
}

#[test]
fn a_broken_bundle_leaves_the_old_one_in_use() {
    let (root, leaf) = six();
    let target = Target::named("one");
    let good = bundle(&root, &leaf, [0, 1, 2, 3, 4, 5]) + &leaf.key_pem();
    let balancer = Balancer::prepare(https(&target)).file("site.pem", &good).start();
    let mut connected = balancer.tls_client("web").connect();
    connected.get("/");
    let other = root.leaf(&[]).issue();
    for (what, broken) in [
        ("a link is missing", bundle(&root, &leaf, [0, 1, 3, 4, 5, 5]) + &leaf.key_pem()),
        ("another's key", leaf.chain_pem() + &other.key_pem()),
        ("no key", leaf.chain_pem()),
        ("cut off", good[..good.len() / 2].to_owned()),
        ("empty", String::new()),
    ] {
        balancer.write("site.pem", &broken);
        let (status, error) = balancer.reload(https(&target)).expect_err(what);
        assert!(status >= 400 && error.contains("site.pem"), "{what}: {status} {error}");
        let mut client = balancer.tls_client("web").trusting(&root).connect();
        assert_eq!((client.get("/").text().as_str(), client.handshake().peer_chain.len()), ("one", 5));
    }
    assert_eq!(connected.get("/").text(), "one");
}
