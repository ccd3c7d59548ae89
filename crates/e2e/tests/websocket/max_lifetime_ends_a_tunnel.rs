//! A tunnel ends at its `max_lifetime`, however busy it is: with a plain close, or with Close frames (WS3).

use std::time::Duration;

use testkit::{Balancer, Config, Frame, elapsed, wait_until};

use crate::{connect, frame_server, strict_server};

fn rule(more: &str) -> String {
    format!("host = \"*.example\"\nforward = \"app\"\nwebsocket = {{ max_lifetime = \"1s\"{more} }}")
}

#[test]
fn max_lifetime_ends_a_tunnel() {
    let target = strict_server();
    let balancer = Balancer::start(Config::to(&target).rule(&rule("")));
    let mut client = connect(balancer.web());
    let life =
        elapsed(|| while client.try_send("x").is_ok() && !client.closes_within(Duration::from_millis(1)) {});
    assert!(life >= Duration::from_millis(900), "{life:?}");
    wait_until("the target's side is closed", || target.open() == 0);
    assert_eq!(balancer.log_line("reason", "tunnel_lifetime")["status"], 101);
    let ended = balancer.metric("evenkeel_listener_tunnels_closed_total", &[("reason", "tunnel_lifetime")]);
    assert_eq!(ended, 1.0);
}

#[test]
fn with_a_code_both_sides_get_a_close() {
    let target = frame_server();
    let balancer = Balancer::start(Config::to(&target).rule(&rule(", drain_close_code = 4000")));
    let mut client = connect(balancer.web());
    assert_eq!(client.frame(), Frame::from_server(0x88, 4000_u16.to_be_bytes()));
    client.send(Frame::from_client(0x88, 4000_u16.to_be_bytes()).bytes());
    assert!(client.is_closed());
    wait_until("the target's side is closed", || target.open() == 0);
    let line = balancer.log_line("reason", "tunnel_lifetime");
    assert_eq!(line["detail"], serde_json::Value::Null, "both answered");
    // Both Closes answered ours; neither was passed to the other side.
    for from in ["client", "target"] {
        let closes = [("from", from), ("kind", "close")];
        assert_eq!(balancer.metric("evenkeel_listener_tunnel_frames_total", &closes), 1.0, "{from}");
    }
}
