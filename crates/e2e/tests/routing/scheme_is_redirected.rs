//! `redirect = { scheme = "https" }` keeps host, path and query; the port is the scheme's default unless it is
//! given (HTTP5).

use testkit::{Balancer, Client, Config, Target, exchange};

fn rule(path: &str, redirect: &str) -> String {
    format!("path = \"{path}\"\nredirect = {{ {redirect} }}")
}

#[test]
fn scheme_is_redirected() {
    let target = Target::named("never");
    let balancer = Balancer::start(
        Config::to(&target)
            .rule(&rule("/plain", "scheme = \"https\", code = 308"))
            .rule(&rule("/port", "scheme = \"https\", port = 8443"))
            .rule(&rule("/default", "scheme = \"https\", port = 443"))
            .rule(&rule("/keep", "scheme = \"http\", port = \"keep\""))
            .rule(&rule("/to", "to = \"https://{host}{port}/new\"")),
    );
    let mut client = Client::connect(balancer.web());
    for (host, path, status, location) in [
        ("a", "/plain", 308, "https://a/plain"),
        ("a:8080", "/plain/%41?q=1&r", 308, "https://a/plain/%41?q=1&r"),
        ("A.example.:8080", "/plain", 308, "https://A.example./plain"),
        ("[::1]:8080", "/plain", 308, "https://[::1]/plain"),
        ("a", "//plain", 308, "https://a/plain"),
        ("a:8080", "/port", 302, "https://a:8443/port"),
        ("a:8080", "/default", 302, "https://a/default"),
        ("a:8080", "/keep", 302, "http://a:8080/keep"),
        ("[::1]:8080", "/keep", 302, "http://[::1]:8080/keep"),
        ("a:80", "/keep", 302, "http://a/keep"),
        ("a:443", "/keep", 302, "http://a/keep"),
        ("a:", "/keep", 302, "http://a/keep"),
        ("a", "/keep", 302, "http://a/keep"),
        ("a:8080", "/to", 302, "https://a:8080/new"),
    ] {
        client.send(format!("POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 4\r\n\r\nbody"));
        let answer = client.response();
        assert_eq!((answer.status(), answer.field("location")), (status, Some(location)), "{host} {path}");
    }
    client.send("GET http://b:8080/plain HTTP/1.1\r\nHost: b:8080\r\n\r\n");
    assert_eq!(client.response().field("location"), Some("https://b/plain"));
    assert_eq!(target.connections(), 0);
}

#[test]
fn a_request_without_a_host_cannot_be_redirected_to_its_host() {
    let target = Target::named("never");
    let balancer = Balancer::start(
        Config::to(&target).rule(&rule("/plain", "scheme = \"https\"")).rule(&rule("/path", "to = \"/new\"")),
    );
    for (request, status) in [
        ("GET /plain HTTP/1.0\r\n\r\n", 400),
        ("GET /plain HTTP/1.1\r\nHost:\r\n\r\n", 400),
        ("GET /plain HTTP/1.0\r\nHost: a\r\n\r\n", 302),
        ("GET /path HTTP/1.0\r\n\r\n", 302),
    ] {
        let answer = exchange(balancer.web(), request);
        assert_eq!(answer.status(), status, "{request}");
        assert!(status == 302 || answer.reason() == "request_host", "{answer:?}");
    }
}
