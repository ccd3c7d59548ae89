//! Tomcat removes path parameters behind `;`, then decodes `%3B`, then removes dot segments: `.%3B` is a name for it. A
//! path that another rule decides for such a server is refused.

use testkit::{Balancer, Config, Target, get};

#[test]
fn encoded_semicolons_do_not_hide_a_path() {
    let target = Target::named("served");
    let balancer = Balancer::start(
        Config::to(&target).rule("path = \"/manager/html/\"\nrespond = { status = 403, body = \"denied\" }"),
    );
    for path in [
        "/manager/.%3B/..;/html/x",
        "/manager/%3B/..;/html/x",
        "/manager;v/.%3b/../html/x",
        "/manager/x%2F..;/html/x",
        "/manager%2Fhtml;a%2Fx/..;/x",
    ] {
        let response = get(balancer.web(), path);
        assert_eq!((response.status(), response.reason().as_str()), (400, "request_path"), "{path}");
    }
    assert_eq!(target.connections(), 0);
    for path in ["/manager/html%3B/x", "/manager/a%3B/..;/html/x"] {
        assert_eq!(get(balancer.web(), path).status(), 403, "{path}");
    }
    for path in ["/find/a%3Bb", "/find/a;b%3Bc", "/manager/a%3Bb/x"] {
        assert_eq!(get(balancer.web(), path).text(), "served", "the same rule either way: {path}");
        assert_eq!(target.requests().last().unwrap().target(), path);
    }
}

/// The segment with `%3B` is another name for most servers, which no rule may take for the one before it.
#[test]
fn a_name_with_an_encoded_semicolon_is_decided_by_one_rule() {
    let target = Target::named("served");
    let balancer = Balancer::start(
        Config::to(&target)
            .rule("path = \"= /files/x\"\nforward = \"app\"")
            .rule("path = \"/files/\"\nrespond = { status = 403, body = \"denied\" }"),
    );
    assert_eq!(get(balancer.web(), "/files/x%3By").status(), 400);
    assert_eq!(get(balancer.web(), "/files/x").text(), "served");
    assert_eq!(get(balancer.web(), "/files/y%3Bx").status(), 403);
}
