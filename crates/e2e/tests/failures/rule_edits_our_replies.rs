//! `response_headers` of a rule apply to every response to its requests, failures too, and `error_pages` to every error status
//! that we make, a rule's fixed status too.

use testkit::{Balancer, Client, Config, Http2Client, refused_address};

const EDITS: &str = "response_headers = { set = { X-Frame-Options = \"DENY\", Cache-Control = \"public\" }, \
                     remove = [\"Proxy-Status\"] }";

fn balancer() -> Balancer {
    let config = Config::to_addresses(&[refused_address()])
        .listener("error_pages = { 503 = \"sorry.html\" }")
        .rule(&format!("path = \"/away\"\nrespond = {{ status = 503 }}\n{EDITS}"))
        .rule(&format!("path = \"/moved\"\nredirect = {{ to = \"/\" }}\n{EDITS}"))
        .rule(&format!(
            "path = \"/denied\"\nforward = \"app\"\naccess = {{ allow = [\"192.0.2.1\"] }}\n{EDITS}"
        ))
        .rule(&format!("path = \"/app\"\nforward = \"app\"\n{EDITS}"));
    Balancer::prepare(config).file("sorry.html", "<h1>Sorry</h1>").start()
}

#[test]
fn a_rule_edits_our_replies() {
    let balancer = balancer();
    let mut client = Client::connect(balancer.web());
    for (path, status, cache_control) in [
        ("/app", 502, "no-store"),
        ("/denied", 403, "no-store"),
        ("/away", 503, "public"),
        ("/moved", 302, "public"),
    ] {
        let response = client.get(path);
        assert_eq!((response.status(), response.all("x-frame-options")), (status, vec!["DENY"]), "{path}");
        assert_eq!(response.field("proxy-status"), None, "{path}");
        assert_eq!(response.all("cache-control"), [cache_control], "{path}: an error must not be cached");
        let length = response.text().len().to_string();
        assert_eq!(response.all("content-length"), [length.as_str()], "{path}");
    }
    let response = client.get("/none");
    assert_eq!((response.status(), response.field("x-frame-options")), (502, None), "another rule");
    let response = Http2Client::connect(balancer.web()).get("/app");
    assert_eq!((response.status(), response.field("x-frame-options")), (502, Some("DENY")), "HTTP/2");
}

#[test]
fn a_fixed_status_has_its_error_page() {
    let balancer = balancer();
    let response = Client::connect(balancer.web()).get("/away");
    assert_eq!((response.status(), response.text().as_str()), (503, "<h1>Sorry</h1>"));
    assert_eq!(response.field("content-type"), Some("text/html; charset=utf-8"));
}

/// What gRPC clients read is ours; other fields are the rule's.
#[test]
fn a_grpc_status_stays() {
    let balancer = balancer();
    let mut client = Http2Client::connect(balancer.web());
    let response = client.exchange("POST", "/app", &[("content-type", "application/grpc")], b"");
    assert_eq!((response.status(), response.all("grpc-status")), (200, vec!["14"]));
    assert_eq!(response.field("x-frame-options"), Some("DENY"));
}
