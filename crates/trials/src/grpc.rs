//! `cargo xtask grpc`: client and server of PyPI's `grpcio` through a real Evenkeel, in the clear and over TLS on either
//! side: every kind of method, errors, deadlines and cancellation.
//!
//! The cases are written in `crates/trials/grpc`. Messages are plain bytes, so no code is generated.

use std::fmt::Write;
use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;

use clap::Args;
use tempfile::TempDir;
use testkit::{Authority, Balancer};
use xtask::{Outcome, packages, workspace};

use crate::script::{self, Results};
use crate::server::{self, Server, free_address};

#[derive(Args, Debug)]
pub(crate) struct Options {
    /// Connect client and server directly, to try the cases themselves
    #[arg(long)]
    direct: bool,
}

/// What all suites share.
struct Stage {
    /// The interpreter that has the library.
    python: PathBuf,
    /// Certificates, and the notes of the servers.
    directory: TempDir,
    results: Results,
}

pub(crate) fn run(options: &Options) -> Outcome {
    packages::ensure(packages::FOR_GRPC)?;
    let stage = Stage::prepare()?;
    let (plain, secure) = (stage.server(false)?, stage.server(true)?);
    if options.direct {
        for (server, tls) in [(&plain, false), (&secure, true)] {
            stage.suite("direct", "all", server.address(), tls)?;
        }
        return stage.results.outcome();
    }
    let binary = server::evenkeel(false)?;
    let config = config(&plain, &secure, free_address()?);
    let read = |name: &str| fs::read_to_string(stage.path(name)).map_err(|error| error.to_string());
    let balancer = Balancer::prepare(config)
        .file("site.pem", &(read("chain.pem")? + &read("key.pem")?))
        .file("ca.pem", &read("ca.pem")?)
        .binary(binary)
        .start();
    for (name, client_tls, _) in LISTENERS {
        stage.suite(name, "all", balancer.address(name), *client_tls)?;
    }
    for (name, suite) in [("down", "down"), ("late", "late")] {
        stage.suite(name, suite, balancer.address(name), false)?;
    }
    stage.results.outcome()
}

impl Stage {
    /// Installs the library and makes the certificates.
    fn prepare() -> Outcome<Self> {
        let home = workspace::target_directory()?.join("grpc");
        fs::create_dir_all(&home).map_err(|error| format!("{}: {error}", home.display()))?;
        let python = packages::PYPI_GRPCIO.install(&home)?;
        let directory = TempDir::new().map_err(|error| error.to_string())?;
        let stage = Self { python, directory, results: Results::new() };
        let authority = Authority::new("Test Root");
        let leaf = authority.intermediate("Test Intermediate").leaf(&[]).issue();
        for (name, text) in
            [("ca.pem", authority.pem()), ("chain.pem", leaf.chain_pem()), ("key.pem", leaf.key_pem())]
        {
            fs::write(stage.path(name), text).map_err(|error| error.to_string())?;
        }
        Ok(stage)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn server(&self, tls: bool) -> Outcome<Server> {
        let address = free_address()?;
        let mut command = Server::command(&self.python);
        command.arg(script::path("grpc", "server.py")).env("PYTHONDONTWRITEBYTECODE", "1");
        command.arg(address.port().to_string()).arg(self.path("notes"));
        if tls {
            command.arg(self.path("chain.pem")).arg(self.path("key.pem"));
        }
        Server::start("server.py", command, Server::directory()?, &[address])
    }

    /// Runs a suite of the client and prints its lines.
    fn suite(&self, title: &str, suite: &str, address: SocketAddr, tls: bool) -> Outcome {
        let _ = fs::remove_file(self.path("notes"));
        let mut command = Command::new("timeout");
        command.arg(SUITE_SECONDS).arg(&self.python).arg(script::path("grpc", "client.py"));
        command.args([suite, &address.to_string()]).arg(self.path("notes"));
        if tls {
            command.arg(self.path("ca.pem"));
        }
        command.env("PYTHONDONTWRITEBYTECODE", "1");
        let mut lines = 0;
        let status =
            script::lines(&mut command, |line| lines += usize::from(self.results.line(title, line)))?;
        // A failed case was counted. A client that broke off was not.
        if lines == 0 || status.code() == Some(TIMED_OUT) {
            self.results.broken(title, &format!("the client ended with {status} after {lines} cases"));
        }
        Ok(())
    }
}

/// Listeners with and without TLS in front of groups with and without TLS, and two with failing targets.
fn config(plain: &Server, secure: &Server, nowhere: SocketAddr) -> String {
    let mut text = "workers = 2\n".to_owned();
    // Each listener has an address of its own, since the kernel chooses the ports.
    for (number, (name, client_tls, group)) in (1..).zip(LISTENERS) {
        let tls = if *client_tls { TLS_KEYS } else { "" };
        let _ =
            write!(text, "[listener.{name}]\nbind = \"127.0.0.{number}:0\"\n{tls}forward = \"{group}\"\n");
    }
    for (number, name) in [(11, "down"), (12, "late")] {
        let _ = write!(text, "[listener.{name}]\nbind = \"127.0.0.{number}:0\"\nforward = \"{name}\"\n");
    }
    let _ = write!(
        text,
        "[target_group.h2c]\nprotocol = \"h2c\"\ntargets = [\"{0}\"]\n\
         [target_group.h2]\nprotocol = \"h2\"\ntls = {{ server_name = \"localhost\", ca = \"ca.pem\" }}\ntargets = [\"{1}\"]\n\
         [target_group.down]\nprotocol = \"h2c\"\ntargets = [\"{nowhere}\"]\n\
         [target_group.late]\nprotocol = \"h2c\"\ntimeouts = {{ response = \"2s\" }}\ntargets = [\"{0}\"]\n",
        plain.address(),
        secure.address(),
    );
    text
}

/// Name, true if clients use TLS, group.
const LISTENERS: &[(&str, bool, &str)] = &[
    ("h2c_to_h2c", false, "h2c"),
    ("tls_to_h2c", true, "h2c"),
    ("tls_to_tls", true, "h2"),
    ("h2c_to_tls", false, "h2"),
];
const TLS_KEYS: &str = "protocol = \"https\"\ncertificates = [\"site.pem\"]\n";

const SUITE_SECONDS: &str = "90";
/// The exit code of `timeout`.
const TIMED_OUT: i32 = 124;
