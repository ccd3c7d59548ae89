//! If one side of a tunnel is lost, the other is closed at once, whether frames are parsed or not (WS5).

use std::time::Duration;

use testkit::{Balancer, Config, Target, elapsed, wait_until, websocket_accept};

use crate::{connect, strict_server, switching};

const SETTINGS: [&str; 2] = ["idle_timeout = \"1h\"", "ping_interval = \"20s\", drain_close_code = 1001"];

fn config(target: &Target, settings: &str) -> Config {
    Config::to(target).rule(&format!("host = \"*.example\"\nforward = \"app\"\nwebsocket = {{ {settings} }}"))
}

#[test]
fn a_lost_client_frees_the_target() {
    for settings in SETTINGS {
        let target = strict_server();
        let balancer = Balancer::start(config(&target, settings));
        let client = connect(balancer.web());
        let freed = elapsed(|| {
            client.reset();
            wait_until("the target's side is closed", || target.open() == 0);
        });
        assert!(freed < Duration::from_secs(1), "{freed:?}");
        assert_eq!(balancer.log_line("reason", "tunnel_broken")["status"], 101);
    }
}

#[test]
fn a_lost_target_frees_the_client() {
    for settings in SETTINGS {
        let target = Target::script(|mut connection| {
            let request = connection.request()?;
            let accept = websocket_accept(request.field("sec-websocket-key").unwrap());
            connection.send(switching(&accept))?;
            connection.read_exactly(3)?;
            connection.reset()
        });
        let balancer = Balancer::start(config(&target, settings));
        let mut client = connect(balancer.web());
        client.send("die");
        assert!(client.closes_within(Duration::from_secs(1)));
        assert_eq!(balancer.log_line("reason", "tunnel_broken")["status"], 101);
    }
}
