//! Every final response carries the id by which its request is in the log, whatever answered it and over either
//! version of HTTP. Interim responses do not, and an id that the target set is passed on (OP6).

use std::collections::HashSet;

use testkit::{Balancer, Config, Http2Client, Message, Target, exchange, get, ok, response};

const RULES: &str = r#"
[[listener.web.rule]]
path = "/fixed"
respond = { status = 204 }
[[listener.web.rule]]
path = "/moved"
redirect = { to = "https://b.example/" }
[[listener.web.rule]]
path = "/app/"
forward = "app"
"#;

fn target() -> Target {
    Target::http(|request| match request.target() {
        "/app/own" => response(200, "X-Request-Id: of-the-target\r\n", ""),
        "/app/early" => [b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n".to_vec(), ok("")].concat(),
        _ => ok(""),
    })
}

#[test]
fn every_response_carries_the_id_of_the_log() {
    let target = target();
    let balancer = Balancer::start(Config::to(&target).without_forward().text(RULES));
    let mut http2 = Http2Client::connect(balancer.web());
    let mut seen = HashSet::new();
    let mut check = |answer: &Message, path: &str| {
        let [id] = answer.all("x-request-id")[..] else { panic!("{path}: {answer:?}") };
        assert_eq!(balancer.log_line("request_id", id)["request_target"], path);
        assert!(id.len() == 32 && seen.insert(id.to_owned()), "{id}");
    };
    for path in ["/app/", "/fixed", "/moved", "/none"] {
        check(&get(balancer.web(), path), path);
        check(&http2.get(path), path);
    }
    assert_eq!(get(balancer.web(), "/app/own").all("x-request-id"), ["of-the-target"]);
    let early = exchange(balancer.web(), "GET /app/early HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    assert_eq!((early.status(), early.field("x-request-id")), (103, None));
}

#[test]
fn it_can_be_taken_off() {
    let target = target();
    let off = "request_id = { response = false }";
    let balancer = Balancer::start(Config::to(&target).listener(off).without_forward().text(RULES));
    for path in ["/app/", "/fixed", "/moved", "/none"] {
        assert_eq!(get(balancer.web(), path).field("x-request-id"), None, "{path}");
    }
    assert_eq!(get(balancer.web(), "/app/own").field("x-request-id"), Some("of-the-target"));
}
