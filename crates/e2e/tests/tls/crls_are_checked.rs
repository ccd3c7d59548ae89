//! A CRL of another authority is refused, and an expired one is treated as configured (MT2).

use testkit::{Alert, Authority, Balancer, Config, Target};

use crate::https;

fn config(target: &Target, more: &str) -> Config {
    let auth = format!("client_auth = {{ mode = \"required\", ca = \"ca.pem\", crl = \"ca.crl\"{more} }}");
    https(target).listener(&auth)
}

fn start(config: &Config, root: &Authority) -> Balancer {
    Balancer::prepare(config)
        .file("site.pem", &Authority::new("Site root").leaf(&[]).issue().pem())
        .file("ca.pem", &root.pem())
        .file("ca.crl", &root.crl(&[]))
        .start()
}

#[test]
fn a_crl_of_another_authority_is_refused() {
    let (root, target) = (Authority::new("Root"), Target::named("one"));
    let config = config(&target, "");
    let balancer = start(&config, &root);
    let alice = balancer.tls_client("web").certificate(&root.client("alice").issue());
    for list in [Authority::new("Other root").crl(&[]), Authority::new("Root").crl(&[]), "nonsense".into()] {
        balancer.write("ca.crl", &list);
        let (_, error) = balancer.reload(&config).unwrap_err();
        assert!(error.contains("ca.crl"), "{error}");
        assert_eq!(alice.connect().get("/").text(), "one");
    }
}

#[test]
fn an_expired_crl_fails_or_warns() {
    let (root, target) = (Authority::new("Root"), Target::named("one"));
    let [alice, mallory] = ["alice", "mallory"].map(|name| root.client(name).issue());
    for (more, refusal) in [("", Some(Alert::UnknownCA)), (", expired_crl = \"warn\"", None)] {
        let balancer = start(&config(&target, more), &root);
        balancer.write("ca.crl", &root.crl_due(&[&mallory], -1));
        balancer.reload(config(&target, more)).unwrap();
        let client = balancer.tls_client("web");
        assert_eq!(client.clone().certificate(&alice).refusal(), refusal);
        assert_eq!(client.certificate(&mallory).refusal(), Some(Alert::CertificateRevoked));
    }
}
