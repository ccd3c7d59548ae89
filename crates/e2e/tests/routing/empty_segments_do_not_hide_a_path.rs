//! `..` behind an empty segment removes only that one for a server that follows RFC 3986 §5.2.4 or the URL standard, such
//! as Node.js. A path that another rule decides for such a server is refused.

use testkit::{Balancer, Config, Target, get};

#[test]
fn empty_segments_do_not_hide_a_path() {
    let target = Target::named("served");
    let balancer = Balancer::start(
        Config::to(&target).rule("path = \"/admin/\"\nrespond = { status = 403, body = \"denied\" }"),
    );
    for path in [
        "/admin//../x",
        "/admin/y///../../x",
        "/admin\\\\../x",
        "/admin%2f%2F../x",
        "/admin//%2E%2e/x",
        "/admin//..",
        // For these a parser of URLs takes only `\` for a separator.
        "/admin\\a%5C..\\..\\x",
    ] {
        let response = get(balancer.web(), path);
        assert_eq!((response.status(), response.reason().as_str()), (400, "request_path"), "{path}");
    }
    assert_eq!(target.connections(), 0);
    assert_eq!(get(balancer.web(), "/x//../admin/y").status(), 403);
    for path in ["/a//../b", "//a/../b", "/a//b"] {
        assert_eq!(get(balancer.web(), path).text(), "served", "the same rule either way: {path}");
        assert_eq!(target.requests().last().unwrap().target(), path);
    }
}
