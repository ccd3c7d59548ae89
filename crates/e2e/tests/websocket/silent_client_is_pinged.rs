//! A client that is silent for `ping_interval` gets a Ping between two frames, and its Pong keeps the tunnel
//! open (WS3).

use std::sync::Mutex;
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use testkit::{Balancer, Config, Frame, Target, elapsed, websocket_accept};

use crate::{connect, frame_server, switching};

const RULE: &str = "host = \"*.example\"\nforward = \"app\"\n\
    websocket = { ping_interval = \"1s\", idle_timeout = \"2s\" }";

#[test]
fn silent_client_is_pinged() {
    let target = frame_server();
    let balancer = Balancer::start(Config::to(&target).rule(RULE));
    let mut client = connect(balancer.web());
    for turn in 0..3 {
        let silent = elapsed(|| assert_eq!(client.frame(), Frame::from_server(0x89, "evenkeel")));
        assert!(silent >= Duration::from_millis(900), "turn {turn}: {silent:?}");
        client.send(Frame::from_client(0x8A, "evenkeel").bytes());
    }
    client.send(Frame::from_client(0x81, "still here").bytes());
    assert_eq!(client.frame(), Frame::from_server(0x81, "still here"), "after more than the idle timeout");
    assert_eq!(balancer.metric("evenkeel_listener_tunnel_pings_total", &[]), 3.0);
    let pongs = [("from", "client"), ("kind", "pong")];
    assert_eq!(balancer.metric("evenkeel_listener_tunnel_frames_total", &pongs), 3.0);
    client.half_close();
    assert!(client.is_closed());
}

#[test]
fn a_client_that_does_not_answer_is_idle() {
    let target = frame_server();
    let balancer = Balancer::start(Config::to(&target).rule(RULE));
    let mut client = connect(balancer.web());
    assert_eq!(client.frame().first, 0x89);
    assert!(client.is_closed());
    balancer.log_line("reason", "tunnel_idle");
}

#[test]
fn a_frame_is_not_interrupted() {
    let (sent, begun) = sync_channel(0);
    let begun = Mutex::new(begun);
    let target = Target::script(move |mut connection| {
        let request = connection.request()?;
        connection.send(switching(&websocket_accept(request.field("sec-websocket-key").unwrap())))?;
        // The first fragment of a message and half of the second.
        let whole =
            [Frame::from_server(0x01, "Hel"), Frame::from_server(0x80, "lo")].map(|frame| frame.bytes());
        let whole = whole.concat();
        connection.send(&whole[..6])?;
        begun.lock().unwrap().recv().unwrap();
        connection.send(&whole[6..])?;
        connection.stall()
    });
    let rule = RULE.replace("\"2s\"", "\"4s\"");
    let balancer = Balancer::start(Config::to(&target).rule(&rule));
    let mut client = connect(balancer.web());
    assert_eq!(client.frame(), Frame::from_server(0x01, "Hel"));
    assert_eq!(client.read_exactly(1), [0x80]);
    let pinged = || balancer.metric("evenkeel_listener_tunnel_pings_total", &[]);
    assert!(!client.closes_within(Duration::from_millis(1_500)));
    assert!(client.is_open_and_silent(), "the ping waits for the end of the frame");
    assert_eq!(pinged(), 0.0);
    sent.send(()).unwrap();
    assert_eq!(client.read_exactly(3), b"\x02lo");
    assert_eq!(client.frame(), Frame::from_server(0x89, "evenkeel"));
}

#[test]
fn other_bytes_than_frames_are_passed_without_pings() {
    let target = Target::script(|mut connection| {
        let request = connection.request()?;
        connection.send(switching(&websocket_accept(request.field("sec-websocket-key").unwrap())))?;
        connection.send("not a frame")?;
        connection.echo()
    });
    let balancer = Balancer::start(Config::to(&target).rule(RULE));
    let mut client = connect(balancer.web());
    assert_eq!(client.read_exactly(11), b"not a frame");
    let noise: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    client.send(&noise);
    assert!(client.read_exactly(noise.len()) == noise);
    assert!(client.is_closed(), "closed as idle, without a Ping before");
    balancer.log_line("reason", "tunnel_idle");
    for from in ["client", "target"] {
        let malformed = [("from", from), ("kind", "malformed")];
        assert_eq!(balancer.metric("evenkeel_listener_tunnel_frames_total", &malformed), 1.0, "{from}");
    }
}
