//! Tunnels survive reloads, even one that removes their listener and target (WS7).

use testkit::{Balancer, Config, Target, wait_until};

use crate::{connect, strict_server};

#[test]
fn tunnel_survives_reload() {
    let (target, other) = (strict_server(), Target::named("other"));
    let balancer = Balancer::start(Config::to(&target));
    let mut client = connect(balancer.web());
    for config in [Config::to(&target).listener("keepalive_timeout = \"5s\""), Config::to(&other)] {
        balancer.reload(config).unwrap();
        client.send("still here");
        assert_eq!(client.read_exactly(10), b"still here");
    }
    balancer.reload(Config::to(&other).to_string().replace("listener.web", "listener.new")).unwrap();
    client.send("still here");
    assert_eq!(client.read_exactly(10), b"still here");
    client.half_close();
    assert!(client.is_closed());
    wait_until("the tunnel is closed", || target.open() == 0);
}
