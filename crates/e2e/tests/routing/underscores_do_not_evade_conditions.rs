//! CGI and WSGI take `X_Debug` for `X-Debug`. A target gets neither such a field nor such a trailer if a condition names the
//! field, and no condition sees it: it bypasses no rule, and satisfies none.

use testkit::{Balancer, Config, Target, exchange, ok};

fn start(target: &Target) -> Balancer {
    let forbids = "path = \"/debug\"\nheader = { X-Debug = \"*\" }\nrespond = { status = 403 }";
    let grants = "path = \"/inner\"\nheader = { X-Key = \"secret\" }\nforward = \"app\"";
    let refuses = "path = \"/inner\"\nrespond = { status = 403 }";
    Balancer::start(Config::to(target).rule(forbids).rule(grants).rule(refuses))
}

#[test]
fn underscores_do_not_evade_conditions() {
    let target = Target::named("served");
    let balancer = start(&target);
    for (path, fields, expected) in [
        ("/debug", "X-Debug: 1\r\n", 403),
        ("/debug", "X_Debug: 1\r\nx_key: 1\r\nX_Other: 1\r\n", 200),
        ("/inner", "X_Key: secret\r\n", 403),
        ("/inner", "X-Key: secret\r\n", 200),
    ] {
        let response = exchange(balancer.web(), format!("GET {path} HTTP/1.1\r\nHost: a\r\n{fields}\r\n"));
        assert_eq!(response.status(), expected, "{path} {fields}");
    }
    let requests = target.requests();
    assert_eq!((requests[0].field("x_debug"), requests[0].field("x_key")), (None, None));
    assert_eq!(requests[0].field("x_other"), Some("1"), "no condition names it");
    assert_eq!(requests[1].field("x-key"), Some("secret"));
}

#[test]
fn trailers_do_not_evade_conditions() {
    let target = Target::http(|_| ok("done"));
    let balancer = start(&target);
    let body = "2\r\nhi\r\n0\r\nX-Debug: 1\r\nx_debug: 1\r\nX-Sum: 1\r\n\r\n";
    let head = "POST /debug HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    assert_eq!(exchange(balancer.web(), format!("{head}{body}")).text(), "done");
    assert_eq!(target.request().trailers, ["X-Sum: 1"]);
}
