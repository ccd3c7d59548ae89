//! A tunnel that is idle for `websocket.idle_timeout` is closed on both sides; a byte in either direction keeps
//! it open (WS3).

use std::time::Duration;

use testkit::{Balancer, Config, Target, elapsed, wait_until, websocket_accept};

use crate::{connect, strict_server, switching};

const RULE: &str = "host = \"*.example\"\nforward = \"app\"\nwebsocket = { idle_timeout = \"1s\" }";

#[test]
fn idle_tunnel_is_closed() {
    let target = strict_server();
    let balancer = Balancer::start(Config::to(&target).rule(RULE));
    let mut client = connect(balancer.web());
    let idle = elapsed(|| assert!(client.is_closed()));
    assert!(idle >= Duration::from_millis(900), "{idle:?}");
    wait_until("the target's side is closed", || target.open() == 0);
    assert_eq!(balancer.log_line("reason", "tunnel_idle")["status"], 101);
}

#[test]
fn a_byte_in_either_direction_keeps_it() {
    let target = Target::script(|mut connection| {
        let request = connection.request()?;
        connection.send(switching(&websocket_accept(request.field("sec-websocket-key").unwrap())))?;
        for _ in 0..5 {
            assert!(!connection.closes_within(Duration::from_millis(500)), "the tunnel is not idle");
            connection.send("tick")?;
        }
        Ok(())
    });
    let balancer = Balancer::start(Config::to(&target).rule(RULE));
    let mut client = connect(balancer.web());
    assert_eq!(client.read_exactly(20), b"tickticktickticktick");
    assert!(client.is_closed());
    drop(client);
    assert_eq!(balancer.log_line("tunnel", true)["reason"], serde_json::Value::Null);
}
