//! With `allow`, only clients whose certificate matches an entry are served (MT3).

use testkit::{Authority, Target};

use crate::{https, start_with};

#[test]
fn a_certificate_that_is_not_on_the_list_is_denied() {
    let (root, target) = (Authority::new("Root"), Target::named("one"));
    let [alice, carol] = ["alice", "carol"].map(|name| root.client(name).organization("Example").issue());
    let by_fingerprint = format!("fingerprint={}", carol.fingerprint());
    let allow =
        format!("{:?}, {:?}, {by_fingerprint:?}", "subject=O=Example,CN=alice", "san=DNS:bob.example");
    let auth = format!("client_auth = {{ mode = \"optional\", ca = \"ca.pem\", allow = [{allow}] }}");
    let balancer = start_with(&root, https(&target).listener(&auth));
    let tls = balancer.tls_client("web");
    for (leaf, status) in [
        (alice, 200),
        (carol, 200),
        (root.client("bob").dns("Bob.example").issue(), 200),
        (root.client("alice").issue(), 403),
        (root.client("bob.example").issue(), 403),
    ] {
        let mut client = tls.clone().certificate(&leaf).connect();
        assert_eq!((client.get("/").status(), client.get("/").status()), (status, status));
    }
    assert_eq!(tls.connect().get("/").reason(), "client_certificate_denied");
    assert_eq!(target.requests().len(), 6);
}
