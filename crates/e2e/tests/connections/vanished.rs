//! Shared by the scenarios of vanished peers: a balancer, and a client and a target on another machine.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::thread;

use testkit::{Balancer, Client, Network, ok, wait_until};

/// After 1 s of silence 3 probes, one per second.
pub(crate) const PROBES: &str = "tcp_keepalive = { idle = \"1s\", interval = \"1s\", probes = 3 }";
pub(crate) const NO_PROBES: &str = "tcp_keepalive = \"off\"";

/// A balancer whose target answers every request except `/never`, and switches to WebSocket at `/tunnel`.
pub(crate) fn start(network: &Network, listener: &str, group: &str) -> Balancer {
    network.there(serve);
    let config = format!(
        "workers = 1\n[listener.web]\nbind = \"{}:8080\"\nforward = \"app\"\n{listener}\n\
         access_log = {{ path = \"access.log\", format = \"json\" }}\n\
         [target_group.app]\ntargets = [\"{}:9000\"]\n{group}\n",
        Network::BALANCER,
        Network::TARGET
    );
    Balancer::prepare(config).inside(network.machine()).start()
}

pub(crate) fn connect(network: &Network, balancer: &Balancer) -> Client {
    let address = balancer.web();
    network.there(|| Client::connect_from(Network::CLIENT.octets(), address))
}

/// Waits until the balancer has no connection with `peer`, and prints the last output of `ss` before that.
pub(crate) fn wait_until_closed(network: &Network, peer: Ipv4Addr) {
    let mut last = String::new();
    wait_until("the connection is closed", || {
        let sockets = network.sockets(peer);
        if timer(&sockets) != timer(&last) {
            testkit::show(&format!("probes sent: {}\n{sockets}", network.probes()));
            last = sockets;
            return last.is_empty();
        }
        sockets.is_empty()
    });
}

/// The last number of `timer:(keepalive,…)` is the number of unanswered probes.
fn timer(sockets: &str) -> Option<&str> {
    let (_, timer) = sockets.split_once("timer:(")?;
    timer.split_once(')')?.0.rsplit(',').next()
}

fn serve() {
    let listener = TcpListener::bind((Network::TARGET, 9000)).unwrap();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            thread::spawn(move || {
                let mut buffer = [0; 4096];
                while let Ok(1..) = stream.read(&mut buffer) {
                    if buffer.starts_with(b"GET /tunnel") {
                        let _ = stream.write_all(SWITCHING);
                    } else if !buffer.starts_with(b"GET /never") {
                        let _ = stream.write_all(&ok("served"));
                    }
                }
            });
        }
    });
}

const SWITCHING: &[u8] = b"HTTP/1.1 101 S\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
