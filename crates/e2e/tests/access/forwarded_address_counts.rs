//! Behind a trusted proxy, the forwarded address is checked. Claims of other clients are ignored (HTTP8).

use testkit::{Balancer, Client, Config, Target};

/// If a trusted proxy does not name the client, no `allow` entry for the proxy's own address applies.
#[test]
fn unknown_client_is_not_its_proxy() {
    let target = Target::named("one");
    let rule = |path: &str, access: &str| format!("path = \"{path}\"\nforward = \"app\"\naccess = {access}");
    let balancer = Balancer::start(
        Config::to(&target)
            .listener("trusted_proxies = [\"127.0.0.0/8\"]")
            .rule(&rule("/allow", "{ allow = [\"127.0.0.0/8\"] }"))
            .rule(&rule("/but", "{ deny = [\"0.0.0.0/0\"], allow = [\"127.0.0.0/8\"], default = \"allow\" }"))
            .rule(&rule("/deny", "{ deny = [\"203.0.113.0/24\"] }"))
            .rule(&rule("/self", "{ deny = [\"127.0.0.2\"] }"))
            .rule("path = \"/source\"\nsource = [\"127.0.0.0/8\"]\nrespond = { status = 204 }"),
    );
    for (claimed, allow, deny, own, source) in [
        ("127.0.0.9", 200, 200, 200, 204),
        ("garbage", 403, 200, 403, 200),
        ("unknown, 127.0.0.2", 403, 200, 403, 200),
        ("[127.0.0.9]x", 403, 200, 403, 200),
        ("unknown, 203.0.113.9", 403, 403, 200, 200),
    ] {
        let mut client = Client::connect_from([127, 0, 0, 2], balancer.web());
        for (path, expected) in
            [("/allow", allow), ("/but", allow), ("/deny", deny), ("/self", own), ("/source", source)]
        {
            client.send(format!("GET {path} HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: {claimed}\r\n\r\n"));
            assert_eq!(client.response().status(), expected, "{path} for {claimed}");
        }
    }
    assert_eq!(balancer.log_line("status", 403)["detail"], "unknown, by the rule");
}

#[test]
fn forwarded_address_counts() {
    let target = Target::named("one");
    let balancer = Balancer::start(
        Config::to(&target)
            .listener("trusted_proxies = [\"127.0.0.2\"]")
            .listener("access = { deny = [\"203.0.113.0/24\", \"2001:db8::/32\", \"127.0.0.3\"] }"),
    );
    for (peer, claimed, expected) in [
        (2, "203.0.113.9", 403),
        (2, "198.51.100.1", 200),
        (2, "198.51.100.1, 203.0.113.9", 403),
        (2, "203.0.113.9, 198.51.100.1", 200),
        (2, "2001:db8::1", 403),
        (2, "::ffff:203.0.113.9", 403),
        (2, "2001:db9::1", 200),
        // Not trusted, so its own address is checked.
        (3, "198.51.100.1", 403),
        (4, "203.0.113.9", 200),
    ] {
        let mut client = Client::connect_from([127, 0, 0, peer], balancer.web());
        client.send(format!("GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: {claimed}\r\n\r\n"));
        assert_eq!(client.response().status(), expected, "127.0.0.{peer} for {claimed}");
    }
}
