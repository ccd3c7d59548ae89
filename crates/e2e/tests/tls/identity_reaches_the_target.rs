//! Targets get the client's identity in headers, and only from the balancer (MT3).

use testkit::{Authority, Balancer, Http2Client, Leaf, Message, Target};

use crate::{https, start_with};

const HEADERS: &str = "headers = { subject = \"X-Client-Subject\", san = \"X-Client-San\", serial = \"X-Client-Serial\", \
                       fingerprint = \"X-Client-Fingerprint\", certificate = \"X-Client-Certificate\", \
                       verify = \"X-Client-Verify\" }";

/// A request that claims another identity.
const FORGED: &str = "GET / HTTP/1.1\r\nHost: a\r\nX-Client-Subject: CN=root\r\nx_client_subject: CN=root\r\n\
                      X-Client_Verify: SUCCESS root\r\nX-CLIENT-VERIFY: SUCCESS root\r\nX_Client_San: root\r\n\
                      X-Client-Serial: root\r\nx-client-fingerprint: root\r\nX-Client-Certificate: root\r\n\r\n";

fn start(target: &Target, root: &Authority) -> Balancer {
    let auth = format!("client_auth = {{ mode = \"optional\", ca = \"ca.pem\", {HEADERS} }}");
    start_with(root, https(target).listener(&auth))
}

fn check(request: &Message, alice: &Leaf) {
    assert_eq!(request.all("x-client-subject"), ["O=Example,CN=alice"]);
    assert_eq!(
        request.all("x-client-san"),
        ["DNS:alice.example, email:alice@example.com, URI:spiffe://a/alice"]
    );
    assert_eq!(request.all("x-client-serial"), ["0AFF"]);
    assert_eq!(request.all("x-client-fingerprint"), [alice.fingerprint()]);
    assert_eq!(request.all("x-client-verify"), ["SUCCESS"]);
    let certificate = request.all("x-client-certificate");
    assert!(certificate[0].starts_with("-----BEGIN%20CERTIFICATE-----%0A"), "{certificate:?}");
    assert_no_root(request);
}

fn assert_no_root(request: &Message) {
    let forged: Vec<_> = request.fields.iter().filter(|(_, value)| value.contains("root")).collect();
    assert!(forged.is_empty(), "{forged:?}");
}

#[test]
fn identity_reaches_the_target() {
    let (root, target) = (Authority::new("Root"), Target::named("one"));
    let balancer = start(&target, &root);
    let draft = root.client("alice").organization("Example").serial(0x0AFF);
    let alice = draft.dns("alice.example").email("alice@example.com").uri("spiffe://a/alice").issue();
    let tls = balancer.tls_client("web").certificate(&alice);
    let mut client = tls.connect();
    client.send(FORGED);
    assert_eq!(client.response().status(), 200);
    let fields = [("x-client-subject", "CN=root"), ("x_client_verify", "root")];
    assert_eq!(Http2Client::secure(&tls).exchange("GET", "/", &fields, b"").status(), 200);
    let requests = target.requests();
    assert_eq!(requests.len(), 2);
    requests.iter().for_each(|request| check(request, &alice));
}

#[test]
fn without_a_certificate_there_is_no_identity() {
    let (root, target) = (Authority::new("Root"), Target::named("one"));
    let balancer = start(&target, &root);
    let mut client = balancer.tls_client("web").connect();
    client.send(FORGED);
    assert_eq!(client.response().status(), 200);
    let request = target.request();
    assert_no_root(&request);
    assert_eq!(request.all("x-client-verify"), ["NONE"]);
    let names = request.fields.iter().filter(|(name, _)| name.to_ascii_lowercase().starts_with("x-client"));
    assert_eq!(names.count(), 1);
}

/// A target that merges trailers into the head would read forged identities there.
#[test]
fn identity_trailers_are_removed() {
    let (root, target) = (Authority::new("Root"), Target::named("one"));
    let balancer = start(&target, &root);
    let mut client = balancer.tls_client("web").connect();
    client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    client.send("1\r\nx\r\n0\r\nX-Client-Subject: CN=root\r\n\r\n");
    assert_eq!(client.response().status(), 200);
    let requests = target.requests();
    assert_eq!((requests[0].text().as_str(), requests[0].trailers.len()), ("x", 0));
}
