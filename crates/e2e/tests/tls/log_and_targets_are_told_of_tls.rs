//! The access log and the targets are told that a request used TLS (OP6, HTTP5).

use testkit::{Authority, Http2Client, Target};

use crate::{https, start, start_with};

#[test]
fn the_log_names_version_suite_and_client() {
    let (root, target) = (Authority::new("Root"), Target::named("one"));
    let config = https(&target).listener("client_auth = { mode = \"optional\", ca = \"ca.pem\" }");
    let balancer = start_with(&root, config);
    let client = balancer.tls_client("web");
    client.clone().tls13().certificate(&root.client("alice").issue()).connect().get("/alice");
    client.clone().tls12().connect().get("/old");
    Http2Client::secure(&client).get("/h2");
    for (path, tls, cipher, subject) in [
        ("/alice", "1.3", "TLS_AES_128_GCM_SHA256", Some("CN=alice")),
        ("/old", "1.2", "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", None),
        ("/h2", "1.3", "TLS_AES_128_GCM_SHA256", None),
    ] {
        let line = balancer.log_line("request_target", path);
        assert_eq!((line["tls"].as_str(), line["tls_cipher"].as_str()), (Some(tls), Some(cipher)));
        assert_eq!(line["client_subject"].as_str(), subject, "{line}");
    }
}

#[test]
fn targets_are_told_of_https() {
    let target = Target::named("one");
    let balancer = start(https(&target).listener("forwarded = true"));
    balancer.tls_client("web").connect().get("/");
    let request = target.request();
    assert_eq!(request.all("x-forwarded-proto"), ["https"]);
    assert_eq!(request.all("x-forwarded-port"), [balancer.web().port().to_string()]);
    assert_eq!(request.all("forwarded"), ["for=127.0.0.1;host=\"shop.example\";proto=https"]);
}
