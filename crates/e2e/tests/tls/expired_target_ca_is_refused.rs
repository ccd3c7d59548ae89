//! An expired CA in a target group's `ca` is a warning when it is loaded, and targets that it certifies are refused. A
//! renewed certificate of the CA beside it counts.

use testkit::{Authority, Balancer, Config, Target, TlsServer, get, ok};

#[test]
fn expired_target_ca_is_refused() {
    let (old, new) = (Authority::valid("Old", -365, -1), Authority::new("New"));
    let target = |root: &Authority| Target::https(&TlsServer::new(&root.leaf(&[]).issue()), |_| ok("one"));
    let group = |config: Config| config.group("protocol = \"https\"").group("tls = { ca = \"ca.pem\" }");
    let both = old.pem() + &new.pem();
    for (root, ca, is_served) in [(&old, old.pem(), false), (&old, both.clone(), false), (&new, both, true)] {
        let target = target(root);
        let balancer = Balancer::prepare(group(Config::to(&target))).file("ca.pem", &ca).start();
        let checked = balancer.run(&["check", &balancer.path("evenkeel.toml").display().to_string()]);
        let text = String::from_utf8_lossy(&[checked.stdout, checked.stderr].concat()).into_owned();
        assert!(checked.status.success() && text.contains("CA \"CN=Old\" has expired"), "{text}");
        let response = get(balancer.web(), "/");
        match is_served {
            true => assert_eq!(response.status(), 200),
            false => assert_eq!(response.reason(), "target_tls_verify"),
        }
        assert!(balancer.stderr().contains("CA \"CN=Old\" has expired"), "{}", balancer.stderr());
    }
}
