//! `cargo xtask websockets`: real WebSocket clients and servers through a real Evenkeel. npm's `ws`, Python's `websockets`
//! and headless Chromium talk to servers of the first two, over plain tunnels and over tunnels that follow frames.
//!
//! The cases are written in `crates/trials/websockets`. Each client runs a suite and prints a line for each case.

mod client;
mod languages;

use std::fmt::Write;
use std::path::PathBuf;
use std::process::Command;
use std::thread;

use client::Client;
use languages::Languages;
use testkit::{Balancer, Signal};
use xtask::{Outcome, packages};

use crate::script::Results;
use crate::server::{self, Server, free_address};

pub(crate) fn run() -> Outcome {
    packages::ensure(packages::FOR_WEBSOCKETS)?;
    let binary = server::evenkeel(false)?;
    let languages = Languages::install()?;
    let servers = [
        ("node", serve("node", languages.node("server.js"))?),
        ("python", serve("python", languages.python("server.py"))?),
    ];
    let stage = Stage { languages, servers, binary, results: Results::new() };
    let (stage, balancer) = (&stage, &stage.balancer());
    thread::scope(|scope| {
        for client in Client::ALL {
            scope.spawn(move || stage.all(client, balancer));
        }
    });
    for client in [Client::Node, Client::Python] {
        stage.servers.iter().for_each(|(name, _)| stage.drain(client, name));
    }
    stage.results.outcome()
}

/// What all cases share.
struct Stage {
    languages: Languages,
    /// Each with its name.
    servers: [(&'static str, Server); 2],
    binary: PathBuf,
    results: Results,
}

fn serve(name: &str, mut command: Command) -> Outcome<Server> {
    let address = free_address()?;
    command.arg(address.port().to_string());
    Server::start(name, command, Server::directory()?, &[address])
}

impl Stage {
    fn balancer(&self) -> Balancer {
        Balancer::prepare(config(&self.servers)).binary(self.binary.clone()).start()
    }

    /// Runs all suites but the one that ends the balancer.
    fn all(&self, client: Client, balancer: &Balancer) {
        for (server, _) in &self.servers {
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

    fn drain(&self, client: Client, server: &str) {
        let balancer = self.balancer();
        self.suite(client, server, &balancer, "framed", "drain");
    }

    /// Runs a suite over tunnels of one kind and prints its lines.
    fn suite(&self, client: Client, server: &str, balancer: &Balancer, tunnel: &str, suite: &str) {
        let path = format!("/{server}/{tunnel}");
        let title = format!("{} to {server}, {tunnel}", client.name());
        let mut lines = 0;
        let ended = client.run(&self.languages, balancer.web(), &path, suite, |line| {
            if line == "drain" {
                balancer.signal(Signal::TERM);
            } else {
                lines += usize::from(self.results.line(&title, line));
            }
        });
        if let Err(error) = ended
            && lines == 0
        {
            self.results.broken(&title, &error);
        }
    }
}

/// A target group for each server, and a rule for each kind of tunnel.
fn config(servers: &[(&str, Server)]) -> String {
    let mut text = "workers = 2\n[listener.web]\nbind = \"127.0.0.1:0\"\nforward = \"node\"\n".to_owned();
    for (name, _) in servers {
        for (tunnel, settings) in TUNNELS {
            let _ =
                writeln!(text, "[[listener.web.rule]]\npath = \"/{name}/{tunnel}\"\nforward = \"{name}\"");
            let _ = writeln!(text, "websocket = {{ {settings} }}");
        }
    }
    for (name, server) in servers {
        let _ = writeln!(text, "[target_group.{name}]\ntargets = [\"{}\"]", server.address());
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
