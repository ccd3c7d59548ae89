//! A target's certificate is verified unless verification is off (TLS5).

use testkit::{Authority, Balancer, Config, Draft, Leaf, Target, TlsServer, get, ok};

/// Status, reason word and number of requests, if the target has this certificate and the group these settings.
fn outcome(leaf: &Leaf, ca: &Authority, tls: &str) -> (u16, String, usize) {
    let target = Target::https(&TlsServer::new(leaf), |_| ok("one"));
    let config = Config::to(&target).group("protocol = \"https\"").group(tls);
    let balancer = Balancer::prepare(config).file("ca.pem", &ca.pem()).start();
    let response = get(balancer.web(), "/");
    (response.status(), response.reason(), target.requests().len())
}

const REFUSED: (u16, &str, usize) = (502, "target_tls_verify", 0);
const SERVED: (u16, &str, usize) = (200, "", 1);

#[test]
fn target_is_verified() {
    let (ours, others) = (Authority::new("Root"), Authority::new("Other root"));
    let by_name = "tls = { ca = \"ca.pem\", server_name = \"app.lan.internal\" }";
    let by_address = "tls = { ca = \"ca.pem\" }";
    let unverified = "tls = { verify = false }";
    let app = || ours.leaf(&["app.lan.internal"]);
    for (what, leaf, tls, expected) in [
        ("good", app(), by_name, SERVED),
        ("by a wildcard", ours.leaf(&["*.lan.internal"]), by_name, SERVED),
        ("by its address", ours.leaf(&["127.0.0.1"]), by_address, SERVED),
        ("another name", ours.leaf(&["db.lan.internal"]), by_name, REFUSED),
        ("no address", app(), by_address, REFUSED),
        ("another address", ours.leaf(&["127.0.0.2"]), by_address, REFUSED),
        ("expired", app().expired(), by_name, REFUSED),
        ("not yet valid", app().not_yet_valid(), by_name, REFUSED),
        ("for clients", app().for_clients(), by_name, REFUSED),
        ("unknown CA", others.leaf(&["app.lan.internal"]), by_name, REFUSED),
        ("roots of the system", app(), "tls = { server_name = \"app.lan.internal\" }", REFUSED),
        ("roots of the system by default", app(), "", REFUSED),
        ("verification off", others.leaf(&["db.lan.internal"]).expired(), unverified, SERVED),
    ] {
        let draft: Draft<'_> = leaf;
        let (status, reason, requests) = outcome(&draft.issue(), &ours, tls);
        assert_eq!((status, reason.as_str(), requests), expected, "{what}");
    }
}

#[test]
fn a_chain_with_intermediates_is_verified() {
    let root = Authority::new("Root");
    let leaf = root.intermediate("Upper").intermediate("Lower").leaf(&["app.lan.internal"]).issue();
    let tls = "tls = { ca = \"ca.pem\", server_name = \"app.lan.internal\" }";
    let (status, _, requests) = outcome(&leaf, &root, tls);
    assert_eq!((status, requests), (200, 1));
}
