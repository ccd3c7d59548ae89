//! The trials behind `cargo xtask soak`, `floods`, `conformance` and so on: each puts the real binary between real or
//! hostile peers, and fails if it misses its bar.
//!
//! All of them share one child process for other servers ([`server`]), one reader of HTTP/1 ([`exchange`]), one good
//! client at a steady rate ([`pace`]), and one way to run suites in other languages ([`script`]).
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a command line tool: it prints, reads the clock and waits for other processes"
)]

mod conformance;
mod exchange;
mod floods;
mod grpc;
mod h2_conformance;
mod idle_race;
mod keepalive;
mod lock;
mod pace;
mod script;
mod seed;
mod server;
mod sessions;
mod slow;
mod soak;
mod stand_in;
mod tls_audit;
mod websockets;

use std::process::ExitCode;

use clap::Parser;
use xtask::exit_code;

#[derive(Debug, Parser)]
#[command(bin_name = "cargo xtask", about = "Trials of the real binary")]
enum Trial {
    /// Compare what Evenkeel forwards with what nginx, Apache, Node.js and gunicorn see
    Conformance,
    /// Run the cases of RFC 9113 and 7541, by httpwg-cli
    H2Conformance(h2_conformance::Options),
    /// Measure what hostile HTTP/2 clients cost in memory, at the target and to good clients
    Floods(floods::Options),
    /// Put Evenkeel between grpcio's client and server
    Grpc(grpc::Options),
    /// Examine an https listener with sslscan, testssl.sh and openssl
    TlsAudit(tls_audit::Options),
    /// Count the POSTs lost on connections that a target is about to close, beside HAProxy and nginx
    IdleRace(idle_race::Options),
    /// Run good and bad clients, failing targets and reloads together; nothing may be lost or leak
    Soak(soak::Options),
    /// Measure what slow clients cost a good one, and when each is cut off
    Slow(slow::Options),
    /// Show the keepalive probes to a client and a target that vanish
    Keepalive,
    /// Put Evenkeel in front of shops in PHP, Express and Flask, and kill what can be killed: no cart may be lost
    Sessions(sessions::Options),
    /// A server of `sessions`
    #[command(hide = true)]
    LittleShop(sessions::LittleShop),
    /// Put Evenkeel between npm's ws, Python's websockets and Chromium
    Websockets,
}

fn main() -> ExitCode {
    match Trial::parse() {
        Trial::Conformance => exit_code("conformance", conformance::run()),
        Trial::H2Conformance(options) => exit_code("h2-conformance", h2_conformance::run(&options)),
        Trial::Floods(options) => exit_code("floods", floods::run(&options)),
        Trial::Grpc(options) => exit_code("grpc", grpc::run(&options)),
        Trial::TlsAudit(options) => exit_code("tls-audit", tls_audit::run(&options)),
        Trial::IdleRace(options) => exit_code("idle-race", idle_race::run(&options)),
        Trial::Soak(options) => exit_code("soak", soak::run(&options)),
        Trial::Slow(options) => exit_code("slow", slow::run(&options)),
        Trial::Keepalive => exit_code("keepalive", keepalive::run()),
        Trial::Sessions(options) => exit_code("sessions", sessions::run(&options)),
        Trial::LittleShop(options) => exit_code("little-shop", sessions::little_shop(&options)),
        Trial::Websockets => exit_code("websockets", websockets::run()),
    }
}
