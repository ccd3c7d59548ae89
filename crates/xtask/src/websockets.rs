//! `cargo xtask websockets`: real clients and servers of WebSockets through a real Evenkeel. npm's `ws`, Python's `websockets`
//! and headless Chromium talk to the first two, over plain tunnels and over tunnels whose frames are followed.
//!
//! What a case does is written in `crates/xtask/websockets`: each client runs a suite and prints a line for each case.

mod client;
mod needs;
mod server;

use std::fmt::Write;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use client::Client;
use needs::Needs;
use server::Server;
use testkit::{Balancer, Signal};

use crate::{Outcome, packages, workspace};

pub(crate) fn run() -> Outcome {
    packages::ensure(packages::FOR_WEBSOCKETS)?;
    workspace::run(workspace::cargo().args(["build", "--quiet", "--package", "evenkeel"]))?;
    let target = workspace::target_directory()?;
    let needs = Needs::install(&target.join("websockets"))?;
    let servers = [Server::node(&needs)?, Server::python(&needs)?];
    let stage = Stage { needs, servers, binary: target.join("debug/evenkeel"), sum: Sum::default() };
    let began = Instant::now();
    let (stage, balancer) = (&stage, &stage.balancer());
    thread::scope(|scope| {
        for client in Client::ALL {
            scope.spawn(move || stage.all(client, balancer));
        }
    });
    for client in [Client::Node, Client::Python] {
        stage.servers.iter().for_each(|server| stage.drain(client, server));
    }
    let (passed, failed) = stage.sum.read();
    println!("{passed} passed, {failed} failed, {} s", began.elapsed().as_secs());
    if failed == 0 { Ok(()) } else { Err(format!("{failed} cases failed")) }
}

/// What all cases share.
struct Stage {
    needs: Needs,
    servers: [Server; 2],
    binary: std::path::PathBuf,
    sum: Sum,
}

#[derive(Default)]
struct Sum {
    passed: AtomicUsize,
    failed: AtomicUsize,
}

impl Stage {
    fn balancer(&self) -> Balancer {
        Balancer::prepare(config(&self.servers)).binary(self.binary.clone()).start()
    }

    /// Everything but what ends the balancer.
    fn all(&self, client: Client, balancer: &Balancer) {
        for server in &self.servers {
            for tunnel in ["plain", "framed"] {
                self.suite(client, server, balancer, tunnel, "all");
            }
            self.suite(client, server, balancer, "idle", "idle");
            self.suite(client, server, balancer, "heartbeat", "heartbeat");
            if client == Client::Chromium {
                self.suite(client, server, balancer, "origin", "origin");
            }
        }
    }

    fn drain(&self, client: Client, server: &Server) {
        let balancer = self.balancer();
        self.suite(client, server, &balancer, "framed", "drain");
    }

    /// Runs a suite over tunnels of one kind and prints its lines.
    fn suite(&self, client: Client, server: &Server, balancer: &Balancer, tunnel: &str, suite: &str) {
        let path = format!("/{}/{tunnel}", server.name());
        let who = format!("{} to {}, {tunnel}", client.name(), server.name());
        let mut lines = 0;
        let ended = client.run(&self.needs, balancer.web(), &path, suite, |line| {
            if line == "drain" {
                balancer.signal(Signal::TERM);
            } else if let Some((result, case)) = line.split_once(' ') {
                lines += 1;
                self.sum.count(result == "ok");
                println!("{result:4} {who}: {case}");
            }
        });
        if let Err(error) = ended
            && lines == 0
        {
            self.sum.count(false);
            println!("FAIL {who}: {error}");
        }
    }
}

impl Sum {
    fn count(&self, passed: bool) {
        let counter = if passed { &self.passed } else { &self.failed };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    fn read(&self) -> (usize, usize) {
        (self.passed.load(Ordering::Relaxed), self.failed.load(Ordering::Relaxed))
    }
}

/// A group for each server, and for each kind of tunnel a rule.
fn config(servers: &[Server]) -> String {
    let mut text = "workers = 2\n[listener.web]\nbind = \"127.0.0.1:0\"\nforward = \"node\"\n".to_owned();
    for server in servers {
        for (tunnel, settings) in TUNNELS {
            let name = server.name();
            let _ =
                writeln!(text, "[[listener.web.rule]]\npath = \"/{name}/{tunnel}\"\nforward = \"{name}\"");
            let _ = writeln!(text, "websocket = {{ {settings} }}");
        }
    }
    for server in servers {
        let _ = writeln!(text, "[target_group.{}]\ntargets = [\"{}\"]", server.name(), server.address());
    }
    text
}

const TUNNELS: &[(&str, &str)] = &[
    ("plain", ""),
    ("framed", "ping_interval = \"20s\", drain_close_code = 1001"),
    ("idle", "idle_timeout = \"2s\""),
    ("heartbeat", "idle_timeout = \"3s\", ping_interval = \"1s\""),
    ("origin", "allowed_origins = [\"https://shop.example\"]"),
];

/// Where the scripts are.
fn scripts() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("websockets")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_script_is_there() {
        for name in ["client.js", "client.py", "page.html", "server.js", "server.py"] {
            assert!(scripts().join(name).is_file(), "{name}");
        }
    }
}
