//! Behind a trusted proxy the address that it names is judged; what others claim is not looked at (HTTP8).

use testkit::{Balancer, Client, Config, Target};

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
        // Not trusted: it is judged by its own address.
        (3, "198.51.100.1", 403),
        (4, "203.0.113.9", 200),
    ] {
        let mut client = Client::connect_from([127, 0, 0, peer], balancer.web());
        client.send(format!("GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: {claimed}\r\n\r\n"));
        assert_eq!(client.response().status(), expected, "127.0.0.{peer} for {claimed}");
    }
}
