//! With `drain_close_code`, a stop or the removal of a listener ends a tunnel with Close frames between two
//! frames (WS7).

use std::net::TcpStream;
use std::sync::Mutex;
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use testkit::{Balancer, Client, Config, Frame, Signal, Target, elapsed, wait_until, websocket_accept};

use crate::{connect, frame_server, strict_server, switching};

const RULE: &str = "host = \"*.example\"\nforward = \"app\"\nwebsocket = { drain_close_code = 1001 }";

fn going_away() -> [u8; 2] {
    1001_u16.to_be_bytes()
}

/// Answers the Close as RFC 6455 §5.5.1 requires, and expects the end of the tunnel.
fn answer_close(client: &mut Client) {
    assert_eq!(client.frame(), Frame::from_server(0x88, going_away()));
    client.send(Frame::from_client(0x88, going_away()).bytes());
    assert!(client.is_closed());
}

#[test]
fn a_stop_closes_both_sides() {
    let (told, heard) = sync_channel(1);
    let target = Target::script(move |mut connection| {
        let request = connection.request()?;
        connection.send(switching(&websocket_accept(request.field("sec-websocket-key").unwrap())))?;
        let frame = connection.frame()?;
        connection.send(Frame::from_server(0x88, going_away()).bytes())?;
        told.send(frame).unwrap();
        connection.stall()
    });
    let mut balancer = Balancer::start(Config::to(&target).rule(RULE));
    let mut client = connect(balancer.web());
    let time = elapsed(|| {
        balancer.signal(Signal::TERM);
        answer_close(&mut client);
        assert!(balancer.wait_exit().success());
    });
    assert_eq!(heard.recv().unwrap(), Frame::from_client(0x88, going_away()));
    assert!(time < Duration::from_secs(4), "the stop did not wait for a deadline: {time:?}");
    let line = balancer.log_line("reason", "tunnel_drained");
    assert_eq!((line["status"].as_u64(), line["detail"].as_str()), (Some(101), None));
}

#[test]
fn removing_a_listener_closes_its_tunnels_and_other_reloads_do_not() {
    let target = frame_server();
    let config = || Config::to(&target).rule(RULE);
    let balancer = Balancer::start(config());
    let mut client = connect(balancer.web());
    balancer.reload(config().listener("keepalive_timeout = \"5s\"")).unwrap();
    balancer.reload(Config::to(&target)).unwrap();
    client.send(Frame::from_client(0x81, "hi").bytes());
    assert_eq!(client.frame(), Frame::from_server(0x81, "hi"), "the tunnel survives the removal of its rule");
    balancer.reload(config().listener("bind = \"127.0.0.2:0\"")).unwrap();
    answer_close(&mut client);
    balancer.log_line("reason", "tunnel_drained");
    let drained = [("reason", "tunnel_drained")];
    assert_eq!(balancer.metric("evenkeel_listener_tunnels_closed_total", &drained), 1.0);
}

#[test]
fn a_frame_is_not_interrupted() {
    let (go, gate) = sync_channel(0);
    let gate = Mutex::new(gate);
    let large = Frame::from_server(0x02, vec![7; 100_000]).bytes();
    let fragment = Frame::from_server(0x80, "the rest of the message").bytes();
    let sent = [large.clone(), fragment].concat();
    let target = Target::script(move |mut connection| {
        let request = connection.request()?;
        connection.send(switching(&websocket_accept(request.field("sec-websocket-key").unwrap())))?;
        connection.send(&sent[..60_000])?;
        gate.lock().unwrap().recv().unwrap();
        connection.send(&sent[60_000..])?;
        let frame = connection.frame()?;
        assert_eq!(
            frame,
            Frame::from_client(0x82, vec![9; 70_000]),
            "the upload was in the middle of a frame too"
        );
        assert_eq!(connection.frame()?, Frame::from_client(0x88, going_away()));
        connection.send(Frame::from_server(0x88, going_away()).bytes())?;
        connection.stall()
    });
    let mut balancer = Balancer::start(Config::to(&target).rule(RULE));
    let mut client = connect(balancer.web());
    let upload = Frame::from_client(0x82, vec![9; 70_000]).bytes();
    client.send(&upload[..50_000]);
    let mut received = client.read_exactly(60_000);
    let address = balancer.web();
    balancer.signal(Signal::TERM);
    wait_until("the port is closed", || TcpStream::connect(address).is_err());
    assert!(client.is_open_and_silent(), "the Close waits for the end of the frame");
    go.send(()).unwrap();
    received.extend(client.read_exactly(large.len() - 60_000));
    assert!(received == large);
    assert_eq!(
        client.frame(),
        Frame::from_server(0x88, going_away()),
        "the Close does not wait for the end of the message"
    );
    client.send(&upload[50_000..]);
    client.send(Frame::from_client(0x88, going_away()).bytes());
    assert!(client.is_closed());
    assert!(balancer.wait_exit().success());
}

#[test]
fn a_side_that_does_not_answer_the_close_has_five_seconds() {
    let target = strict_server();
    let mut balancer = Balancer::start(Config::to(&target).rule(RULE));
    let mut client = connect(balancer.web());
    balancer.signal(Signal::TERM);
    assert_eq!(client.frame().first, 0x88);
    let time = elapsed(|| assert!(client.is_closed()));
    assert!(time > Duration::from_secs(4) && time < Duration::from_secs(9), "{time:?}");
    assert!(balancer.wait_exit().success());
    let line = balancer.log_line("reason", "tunnel_drained");
    assert_eq!(line["detail"], "a side did not answer the Close");
}

#[test]
fn without_a_code_a_stop_waits() {
    let target = frame_server();
    let mut balancer = Balancer::start(Config::to(&target));
    let mut client = connect(balancer.web());
    balancer.signal(Signal::TERM);
    wait_until("the balancer is stopping", || balancer.status()["stopping"] == true);
    client.send(Frame::from_client(0x81, "still here").bytes());
    assert_eq!(client.frame(), Frame::from_server(0x81, "still here"));
    client.half_close();
    assert!(client.is_closed());
    assert!(balancer.wait_exit().success());
}
