//! On `[::]`, IPv4 entries apply to IPv4 clients and IPv6 entries to IPv6 clients (HTTP8).

use std::net::SocketAddr;

use testkit::{Balancer, Client, Config, Target};

use crate::GET;

#[test]
fn ipv6_and_mapped_addresses() {
    let target = Target::named("one");
    let config = |access: &str| {
        Config::to(&target).listener("bind = \"[::]:0\"").listener(&format!("access = {{ {access} }}"))
    };
    let balancer = Balancer::start(config("deny = [\"127.0.0.2\"]"));
    let port = balancer.web().port();
    let ask = |mut client: Client| {
        client.send(GET);
        client.response().status()
    };
    let v4 = |last| ask(Client::connect_from([127, 0, 0, last], SocketAddr::from(([127, 0, 0, 1], port))));
    let v6 = || ask(Client::connect(SocketAddr::new("::1".parse().unwrap(), port)));
    assert_eq!((v4(1), v4(2), v6()), (200, 403, 200));
    for (access, expected) in [
        ("deny = [\"::1\"]", (200, 200, 403)),
        ("deny = [\"::/0\"]", (200, 200, 403)),
        ("deny = [\"0.0.0.0/0\"]", (403, 403, 200)),
        ("deny = [\"::ffff:127.0.0.2\"]", (200, 403, 200)),
        ("allow = [\"::/64\", \"127.0.0.1\"]", (200, 403, 200)),
    ] {
        balancer.reload(config(access)).unwrap();
        assert_eq!((v4(1), v4(2), v6()), expected, "{access}");
    }
}
