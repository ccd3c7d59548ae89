//! A path with an encoded `/`, `\` or NUL is refused if another rule would decide once a target decodes it, and so is
//! one that leaves the root.

use testkit::{Balancer, Config, Target, get};

#[test]
fn hidden_separators_are_refused() {
    let target = Target::named("served");
    let balancer = Balancer::start(
        Config::to(&target).rule("path = \"/admin/\"\nrespond = { status = 403, body = \"denied\" }"),
    );
    for path in [
        "/admin%2Fsecret",
        "/a/..%2Fadmin/x",
        "/%61dmin%5cx",
        "/ad%00min/x",
        "/../admin/",
        "/a/../../admin/x",
    ] {
        let response = get(balancer.web(), path);
        assert_eq!((response.status(), response.reason().as_str()), (400, "request_path"), "{path}");
    }
    assert_eq!(target.connections(), 0);
    assert_eq!(get(balancer.web(), "/admin/x").status(), 403);
    assert_eq!(get(balancer.web(), "/a/%2e%2e/%61dmin/x").status(), 403);
    assert_eq!(get(balancer.web(), "/elsewhere/a%2Fb").text(), "served", "the same rule either way");
}
