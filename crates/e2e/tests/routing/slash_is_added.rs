//! `trailing_slash = "redirect"` redirects `/abc` to `/abc/` and keeps host, port, query and method (HTTP5).

use testkit::{Balancer, Client, Config, Target};

#[test]
fn slash_is_added() {
    let target = Target::named("app");
    let slash = |path: &str, more: &str| {
        format!("path = \"{path}\"\nforward = \"app\"\ntrailing_slash = \"redirect\"\n{more}")
    };
    let balancer = Balancer::start(
        Config::to(&target)
            .rule(&slash("/abc/", "rewrite = \"/\"\nresponse_headers = { set = { X-Rule = \"abc\" } }"))
            .rule("path = \"/abc\"\nrespond = { status = 418 }")
            .rule("path = \"= /own\"\nrespond = { status = 418 }")
            .rule(&slash("/own/", ""))
            .rule(&slash("/a/b/", ""))
            .rule(&slash("/closed/", "access = { deny = [\"127.0.0.0/8\"] }"))
            .rule("path = \"/gone/\"\ntrailing_slash = \"redirect\"\nrespond = { status = 410 }"),
    );
    let mut client = Client::connect(balancer.web());
    for (path, status, location) in [
        ("/abc", 308, Some("/abc/")),
        ("/abc?q=1&r=/", 308, Some("/abc/?q=1&r=/")),
        ("/abc?", 308, Some("/abc/?")),
        ("//evil.example/../abc", 308, Some("/abc/")),
        ("/%61bc", 308, Some("/abc/")),
        ("/abc/", 200, None),
        ("/abc/x", 200, None),
        ("/abcd", 200, None),
        ("/own", 418, None),
        ("/own/", 200, None),
        ("/a/b", 308, Some("/a/b/")),
        ("/a", 200, None),
        ("/closed", 403, None),
        ("/gone", 308, Some("/gone/")),
        ("/gone/", 410, None),
    ] {
        for method in ["GET", "DELETE"] {
            client.send(format!("{method} {path} HTTP/1.1\r\nHost: a:8080\r\n\r\n"));
            let answer = client.response();
            assert_eq!((answer.status(), answer.field("location")), (status, location), "{method} {path}");
        }
    }
    assert_eq!(client.get("/abc").field("x-rule"), Some("abc"), "the rule's edits apply");
    client.send("GET /abc HTTP/1.0\r\n\r\n");
    assert_eq!(client.response().field("location"), Some("/abc/"), "without a host as well");
}

/// The redirect needs no target, so checks that only protect targets do not run before it.
#[test]
fn the_redirect_runs_before_checks_that_protect_targets() {
    let target = Target::named("app");
    let rule =
        "path = \"/abc/\"\nforward = \"app\"\ntrailing_slash = \"redirect\"\nwebsocket = { enabled = false }";
    let balancer = Balancer::start(
        Config::to(&target).listener("via = \"edge\"").listener("limits = { body = \"1KiB\" }").rule(rule),
    );
    for fields in [
        "Connection: Upgrade\r\nUpgrade: websocket",
        "Via: 1.1 edge",
        "Content-Length: 2000\r\nExpect: 100-continue",
    ] {
        let mut client = Client::connect(balancer.web());
        client.send(format!("GET /abc HTTP/1.1\r\nHost: a\r\n{fields}\r\n\r\n"));
        assert_eq!(client.response().status(), 308, "{fields}");
    }
}
