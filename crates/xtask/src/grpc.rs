//! `cargo xtask grpc`: the gRPC of PyPI's `grpcio`, client and server, through a real Evenkeel: in the clear and over TLS on
//! either side, every kind of method, errors, deadlines and cancellation.
//!
//! What a case does is written in `crates/xtask/grpc`; messages are bytes, so nothing is generated.

use std::fmt::Write;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use testkit::{Authority, Balancer};

use crate::stand_in::free_address;
use crate::{Outcome, packages, workspace};

/// What all suites share.
struct Stage {
    python: PathBuf,
    directory: TempDir,
}

#[derive(Debug, Default)]
struct Sum {
    passed: usize,
    failed: usize,
}

struct Server {
    child: Child,
    address: SocketAddr,
}

pub(crate) fn run(arguments: &[String]) -> Outcome {
    let is_direct = match arguments {
        [] => false,
        [flag] if flag == "--direct" => true,
        _ => return Err(USAGE.to_owned()),
    };
    packages::ensure(packages::FOR_GRPC)?;
    let stage = Stage::prepare()?;
    let (plain, secure) = (stage.server(false)?, stage.server(true)?);
    let began = Instant::now();
    let mut sum = Sum::default();
    if is_direct {
        for (server, tls) in [(&plain, false), (&secure, true)] {
            stage.suite("direct", "all", server.address, tls, &mut sum)?;
        }
    } else {
        workspace::run(workspace::cargo().args(["build", "--quiet", "--package", "evenkeel"]))?;
        let binary = workspace::target_directory()?.join("debug/evenkeel");
        let config = config(&plain, &secure, free_address()?);
        let read = |name: &str| fs::read_to_string(stage.path(name)).map_err(|error| error.to_string());
        let balancer = Balancer::prepare(config)
            .file("site.pem", &(read("chain.pem")? + &read("key.pem")?))
            .file("ca.pem", &read("ca.pem")?)
            .binary(binary)
            .start();
        for (name, client_tls, _) in LISTENERS {
            stage.suite(name, "all", balancer.address(name), *client_tls, &mut sum)?;
        }
        for (name, suite) in [("down", "down"), ("late", "late")] {
            stage.suite(name, suite, balancer.address(name), false, &mut sum)?;
        }
    }
    println!("{} passed, {} failed, {} s", sum.passed, sum.failed, began.elapsed().as_secs());
    if sum.failed == 0 { Ok(()) } else { Err(format!("{} cases failed", sum.failed)) }
}

impl Stage {
    /// The library and the certificates.
    fn prepare() -> Outcome<Self> {
        let home = workspace::target_directory()?.join("grpc");
        fs::create_dir_all(&home).map_err(|error| format!("{}: {error}", home.display()))?;
        let python = home.join("venv/bin/python");
        let has_it =
            Command::new(&python).args(["-c", "import grpc"]).output().is_ok_and(|o| o.status.success());
        if !has_it {
            println!("installing {GRPCIO}");
            workspace::run(Command::new("python3").args(["-m", "venv"]).arg(home.join("venv")))?;
            workspace::run(Command::new(&python).args(["-m", "pip", "install", "--quiet", GRPCIO]))?;
        }
        let directory = TempDir::new().map_err(|error| error.to_string())?;
        let stage = Self { python, directory };
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

    /// Ended by the kernel when we end without having done it.
    fn script(&self, name: &str) -> Command {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "--"]).arg(&self.python).arg(scripts().join(name));
        command.env("PYTHONDONTWRITEBYTECODE", "1").stdin(Stdio::null());
        command
    }

    fn server(&self, tls: bool) -> Outcome<Server> {
        let address = free_address()?;
        let mut command = self.script("server.py");
        command.arg(address.port().to_string()).arg(self.path("notes"));
        if tls {
            command.arg(self.path("chain.pem")).arg(self.path("key.pem"));
        }
        let child = command.spawn().map_err(|error| format!("server.py: {error}"))?;
        let mut server = Server { child, address };
        let deadline = Instant::now() + READY_TIMEOUT;
        while TcpStream::connect(address).is_err() {
            if server.child.try_wait().is_ok_and(|status| status.is_some()) || Instant::now() > deadline {
                return Err("server.py does not serve".into());
            }
            thread::sleep(READY_PAUSE);
        }
        Ok(server)
    }

    /// Runs a suite of the client and prints its lines.
    fn suite(&self, who: &str, suite: &str, address: SocketAddr, tls: bool, sum: &mut Sum) -> Outcome {
        let _ = fs::remove_file(self.path("notes"));
        let mut command = Command::new("timeout");
        command.arg(SUITE_SECONDS).arg(&self.python).arg(scripts().join("client.py"));
        command.args([suite, &address.to_string()]).arg(self.path("notes"));
        if tls {
            command.arg(self.path("ca.pem"));
        }
        command.env("PYTHONDONTWRITEBYTECODE", "1").stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().map_err(|error| format!("client.py: {error}"))?;
        let output = child.stdout.take().into_iter().flat_map(|output| BufReader::new(output).lines());
        let mut lines = 0;
        for line in output.map_while(Result::ok) {
            let Some((result, case)) = line.split_once(' ') else { continue };
            lines += 1;
            sum.count(result == "ok");
            println!("{result:4} {who}: {case}");
        }
        let status = child.wait().map_err(|error| format!("client.py: {error}"))?;
        // Cases that failed were told; a client that broke off was not.
        if lines == 0 || status.code() == Some(124) {
            sum.count(false);
            println!("FAIL {who}: the client ended with {status} after {lines} cases");
        }
        Ok(())
    }
}

impl Sum {
    fn count(&mut self, passed: bool) {
        if passed {
            self.passed += 1;
        } else {
            self.failed += 1;
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Listeners with and without TLS before groups with and without it, and two with targets that fail.
fn config(plain: &Server, secure: &Server, nowhere: SocketAddr) -> String {
    let mut text = "workers = 2\n".to_owned();
    // Each port of the kernel's choice at an address of its own.
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
        plain.address, secure.address,
    );
    text
}

/// Where the scripts are.
fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("grpc")
}

/// Name, whether clients have TLS, the group.
const LISTENERS: &[(&str, bool, &str)] = &[
    ("h2c_to_h2c", false, "h2c"),
    ("tls_to_h2c", true, "h2c"),
    ("tls_to_tls", true, "h2"),
    ("h2c_to_tls", false, "h2"),
];
const TLS_KEYS: &str = "protocol = \"https\"\ncertificates = [\"site.pem\"]\n";

const GRPCIO: &str = "grpcio==1.76.0";
const READY_TIMEOUT: Duration = Duration::from_secs(20);
const READY_PAUSE: Duration = Duration::from_millis(20);
const SUITE_SECONDS: &str = "90";

const USAGE: &str = "usage: cargo xtask grpc [--direct]

  --direct  without anything between client and server, to try the cases themselves";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_script_is_there() {
        for name in ["client.py", "server.py"] {
            assert!(scripts().join(name).is_file(), "{name}");
        }
    }
}
