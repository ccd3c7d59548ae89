//! `keepalive_timeout` applies to all listeners of a load balancer, and a listener may override it (KA2).

use std::time::Duration;

use testkit::{Balancer, Client, Config, Target};

#[test]
fn listener_overrides_its_load_balancer() {
    let target = Target::named("one");
    let config = Config::to(&target).text(
        "[load_balancer.default]\nkeepalive_timeout = \"1s\"\n\
         [listener.patient]\nbind = \"127.0.0.2:0\"\nforward = \"app\"\nkeepalive_timeout = \"60s\"\n\
         [listener.closing]\nbind = \"127.0.0.3:0\"\nforward = \"app\"\nkeepalive_timeout = \"0s\"",
    );
    let balancer = Balancer::start(config);
    let mut closing = Client::connect(balancer.address("closing"));
    assert_eq!(closing.get("/").field("connection"), Some("close"));
    assert!(closing.is_closed());
    let mut patient = Client::connect(balancer.address("patient"));
    assert_eq!(patient.get("/").status(), 200);
    let mut web = Client::connect(balancer.web());
    assert_eq!(web.get("/").status(), 200);
    assert!(web.closes_within(Duration::from_secs(4)), "inherited");
    assert!(patient.is_open_and_silent(), "the listener's own timeout");
}
