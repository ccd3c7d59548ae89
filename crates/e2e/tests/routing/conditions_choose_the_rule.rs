//! Host, path, method, header, query, cookie and source choose among rules. If none matches, `forward` applies,
//! else 404.

use testkit::{Balancer, Client, Config, Target, exchange, get};

const RULES: &[(&str, &str)] = &[
    ("host = \"api.example\"\npath = \"/v1/\"", "api-v1"),
    ("host = \"api.example\"", "api"),
    ("host = \"*.wild.example\"", "wild"),
    ("path = \"= /exact\"", "exact"),
    ("path = \"/files\"", "files"),
    ("path = \"/files\"\nmethod = \"DELETE\"", "delete"),
    ("path = \"/c\"\nheader = { X-Canary = \"1\" }", "header"),
    ("path = \"/c\"\nquery = { preview = \"*\" }", "query"),
    ("path = \"/c\"\ncookie = { beta = \"yes\" }", "cookie"),
    ("path = \"/c\"\nsource = [\"127.0.0.9\"]", "source"),
];

fn config(target: &Target) -> Config {
    let rule = |config: Config, (conditions, name): &(&str, &str)| {
        config.rule(&format!("{conditions}\nrespond = {{ status = 200, body = \"{name}\" }}"))
    };
    RULES.iter().fold(Config::to(target), rule)
}

#[test]
fn conditions_choose_the_rule() {
    let target = Target::named("default");
    let balancer = Balancer::start(config(&target));
    for (request, expected) in [
        ("GET /v1/x HTTP/1.1\r\nHost: api.example\r\n", "api-v1"),
        ("GET /v1 HTTP/1.1\r\nHost: API.example:8080\r\n", "api"),
        ("GET http://api.example/v1/ HTTP/1.1\r\nHost: api.example\r\n", "api-v1"),
        ("GET / HTTP/1.1\r\nHost: a.b.wild.example\r\n", "wild"),
        ("GET / HTTP/1.1\r\nHost: wild.example\r\n", "default"),
        ("GET /exact HTTP/1.1\r\nHost: a\r\n", "exact"),
        ("GET /exact/ HTTP/1.1\r\nHost: a\r\n", "default"),
        ("GET /x/../%66iles//y HTTP/1.1\r\nHost: a\r\n", "files"),
        ("GET /filesystem HTTP/1.1\r\nHost: a\r\n", "default"),
        ("DELETE /files HTTP/1.1\r\nHost: a\r\n", "delete"),
        ("GET /c HTTP/1.1\r\nHost: a\r\nx-canary: 1\r\n", "header"),
        ("GET /c HTTP/1.1\r\nHost: a\r\nx-canary: 2\r\n", "default"),
        ("GET /c?a=b&preview HTTP/1.1\r\nHost: a\r\n", "query"),
        ("GET /c HTTP/1.1\r\nHost: a\r\nCookie: a=b; beta=yes\r\n", "cookie"),
    ] {
        assert_eq!(exchange(balancer.web(), format!("{request}\r\n")).text(), expected, "{request}");
    }
    assert_eq!(Client::connect_from([127, 0, 0, 9], balancer.web()).get("/c").text(), "source");
}

#[test]
fn without_a_matching_rule_the_response_is_404() {
    let target = Target::named("never");
    let balancer =
        Balancer::start(Config::to(&target).without_forward().rule("path = \"/x\"\nforward = \"app\""));
    let response = get(balancer.web(), "/y");
    assert_eq!((response.status(), response.reason().as_str()), (404, "no_rule"));
    assert_eq!(response.field("connection"), None, "the connection is kept");
    assert_eq!(target.connections(), 0);
}
