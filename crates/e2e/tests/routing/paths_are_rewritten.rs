//! The target gets the client's path byte for byte, or the rewritten one; the query is unchanged.

use testkit::{Balancer, Client, Config, Target, ok};

#[test]
fn paths_are_rewritten() {
    let target = Target::http(|request| ok(request.target()));
    let balancer = Balancer::start(
        Config::to(&target)
            .rule("path = \"/api/\"\nforward = \"app\"\nrewrite = \"/\"")
            .rule("path = \"= /exact\"\nforward = \"app\"\nrewrite = \"/whole\"")
            .rule("path = \"~ ^/v([0-9]+)/\"\nforward = \"app\"\nrewrite = \"/version/$1/\""),
    );
    let mut client = Client::connect(balancer.web());
    for (sent, seen) in [
        ("/a//b/./c/%7Euser?x=1%20&y", "/a//b/./c/%7Euser?x=1%20&y"),
        ("/?", "/?"),
        ("/api/users?id=1", "/users?id=1"),
        ("/exact?q", "/whole?q"),
        ("/v12/x", "/version/12/x"),
        ("*", "*"),
        ("http://shop.example?q", "/?q"),
        ("http://shop.example/a", "/a"),
    ] {
        let method = if sent == "*" { "OPTIONS" } else { "GET" };
        client.send(format!("{method} {sent} HTTP/1.1\r\nHost: shop.example\r\n\r\n"));
        assert_eq!(client.response().text(), seen, "{sent}");
    }
}
