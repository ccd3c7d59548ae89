//! The access log, targets and responses tell that a request came by TLS (OP6, HTTP5, TLS1).

use testkit::{Authority, Balancer, Client, Config, Http2Client, Message, Target, exchange, refused_address};

use crate::{https, start};

#[test]
fn the_log_names_version_suite_and_client() {
    let (root, target) = (Authority::new("Root"), Target::named("one"));
    let config = https(&target).listener("client_auth = { mode = \"optional\", ca = \"ca.pem\" }");
    let balancer = Balancer::prepare(config)
        .file("site.pem", &root.leaf(&[]).issue().pem())
        .file("ca.pem", &root.pem())
        .start();
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

#[test]
fn every_response_has_hsts() {
    let target = Target::http(|request| match request.target() {
        "/own" => testkit::response(200, "Strict-Transport-Security: max-age=1\r\n", "own"),
        _ => testkit::ok("one"),
    });
    let config = https(&target)
        .listener("hsts = { max_age = \"1d\", include_subdomains = true }")
        .rule("path = \"/redirect\"\nredirect = { to = \"https://x.example/\", code = 301 }")
        .rule("path = \"/ready\"\nrespond = { status = 204 }");
    let balancer = start(config);
    let value = |response: &Message| response.all("strict-transport-security").join(" and ");
    let mut http2 = Http2Client::secure(&balancer.tls_client("web"));
    for (path, status) in [("/", 200), ("/redirect", 301), ("/ready", 204), ("/../x", 400), ("/own", 200)] {
        let response = balancer.tls_client("web").connect().get(path);
        assert_eq!(response.status(), status, "{path}");
        assert_eq!(value(&response), "max-age=86400; includeSubDomains", "{path}");
        assert_eq!(value(&http2.get(path)), "max-age=86400; includeSubDomains", "{path}");
    }
    // RFC 6797 §7.2: not in plain text.
    let plain = exchange(balancer.web(), "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!((plain.status(), value(&plain).as_str()), (400, ""));
}

#[test]
fn redirect_http_leads_to_https() {
    let target = Target::named("one");
    let (web, plain) = (refused_address(), refused_address());
    let config = Config::to(&target)
        .https(&["site.pem"])
        .listener(&format!("bind = \"{web}\""))
        .listener(&format!("redirect_http = {}", plain.port()))
        .listener("hsts = { max_age = \"1d\" }");
    let balancer = start(config);
    let mut client = Client::connect(plain);
    client.send("GET /a?b=c HTTP/1.1\r\nHost: shop.example\r\n\r\n");
    let response = client.response();
    let location = format!("https://shop.example:{}/a?b=c", web.port());
    assert_eq!((response.status(), response.field("location")), (308, Some(location.as_str())));
    assert_eq!(response.field("strict-transport-security"), None);
    assert_eq!(balancer.tls_client("web").connect().get("/").text(), "one");
    assert_eq!(target.requests().len(), 1);
}
