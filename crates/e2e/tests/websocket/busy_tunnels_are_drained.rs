//! Busy tunnels are drained between frames: each client receives whole frames, then the Close (WS7).

use std::thread;

use testkit::{Balancer, Config, Frame, Signal, Target, websocket_accept};

use crate::{connect, switching};

/// The frames of a target. Their sizes vary, so that frames end at any position of a read.
fn frame(number: usize) -> Frame {
    let size = (number * 7_919 % 40_000) >> (number % 3 * 6);
    let first = [0x82, 0x02, 0x80, 0x89][number % 4];
    Frame::from_server(first, vec![number as u8; if first == 0x89 { size % 126 } else { size }])
}

#[test]
fn busy_tunnels_are_drained() {
    let target = Target::script(|mut connection| {
        let request = connection.request()?;
        connection.send(switching(&websocket_accept(request.field("sec-websocket-key").unwrap())))?;
        for number in 0..FRAMES {
            connection.send(frame(number).bytes())?;
        }
        while connection.frame()?.first != 0x88 {}
        connection.send(Frame::from_server(0x88, "").bytes())
    });
    let rule = "host = \"*.example\"\nforward = \"app\"\n\
        websocket = { drain_close_code = 1012, ping_interval = \"1s\" }";
    let mut balancer = Balancer::start(Config::to(&target).top("workers = 2").rule(rule));
    let address = balancer.web();
    let (begun, go) = std::sync::mpsc::sync_channel(0);
    let clients: Vec<_> = (0..4)
        .map(|_| {
            let begun = begun.clone();
            thread::spawn(move || {
                let mut client = connect(address);
                let mut seen = 0;
                loop {
                    let next = client.frame();
                    if next == Frame::from_server(0x88, 1012_u16.to_be_bytes()) {
                        break;
                    }
                    if next == Frame::from_server(0x89, "evenkeel") {
                        continue;
                    }
                    assert!(next == frame(seen), "frame {seen} is another");
                    seen += 1;
                    if seen == 40 {
                        begun.send(()).unwrap();
                    }
                }
                client.send(Frame::from_client(0x88, 1012_u16.to_be_bytes()).bytes());
                assert!(client.is_closed(), "nothing follows the Close");
                seen
            })
        })
        .collect();
    (0..4).for_each(|_| go.recv().unwrap());
    balancer.signal(Signal::TERM);
    for client in clients {
        let seen = client.join().unwrap();
        assert!((40..FRAMES).contains(&seen), "{seen}: the Close came in the middle of the frames");
    }
    assert!(balancer.wait_exit().success());
    assert_eq!(balancer.log_lines().iter().filter(|line| line["reason"] == "tunnel_drained").count(), 4);
}

/// Many more than the sockets can buffer.
const FRAMES: usize = 6_000;
