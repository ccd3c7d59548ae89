//! Path parameters (`;x`) are not part of what rules match: servlet containers take them off before they remove dot
//! segments. The target gets the client's bytes unchanged, and a rewritten path keeps the parameters.

use testkit::{Balancer, Config, Target, get};

const ADMIN: &str = "path = \"/admin/\"\nrespond = { status = 403, body = \"denied\" }";

#[test]
fn a_parameter_does_not_hide_a_dot_segment() {
    let target = Target::named("served");
    let balancer = Balancer::start(Config::to(&target).rule(ADMIN));
    for path in [
        "/public/..;/admin/x",
        "/public/..;a=b/admin/x",
        "/public/%2e%2e;/admin/x",
        "/public/..%3b/admin/x",
        "/.;/admin/x",
        "/;x/admin/x",
        "/admin;x=1/x",
    ] {
        assert_eq!(get(balancer.web(), path).status(), 403, "{path}");
    }
    assert_eq!(target.connections(), 0);
}

#[test]
fn a_climb_that_only_some_servers_see_is_refused() {
    let target = Target::named("served");
    let balancer = Balancer::start(Config::to(&target).rule(ADMIN));
    // A server without path parameters reads it as a path below /admin/.
    let response = get(balancer.web(), "/admin/..;/public");
    assert_eq!((response.status(), response.reason().as_str()), (400, "request_path"));
    assert_eq!(target.connections(), 0);
    assert_eq!(get(balancer.web(), "/a/..;/public").text(), "served", "the same rule either way");
}

#[test]
fn the_target_gets_the_parameters() {
    let target = Target::named("served");
    let rule = "path = \"/app/\"\nforward = \"app\"\nrewrite = \"/\"";
    let balancer = Balancer::start(Config::to(&target).rule(rule));
    for (sent, expected) in [
        ("/x;jsessionid=1A/y", "/x;jsessionid=1A/y"),
        ("/app/x;jsessionid=1A/y", "/x;jsessionid=1A/y"),
        ("/app;v=1/x", "/x"),
    ] {
        assert_eq!(get(balancer.web(), sent).status(), 200);
        assert_eq!(target.requests().last().unwrap().target(), expected, "{sent}");
    }
}
