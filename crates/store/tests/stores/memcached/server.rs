//! A real memcached, which ends with its value.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use model::{MemcachedAddress, MemcachedServer};
use rustix::process::{Pid, Signal, kill_process};
use tokio::net::{TcpStream, UnixStream};
use tokio::process::{Child, Command};

use crate::contract::wait_until;

pub(crate) struct Memcached {
    address: MemcachedAddress,
    options: Vec<String>,
    child: Child,
}

impl Memcached {
    /// On a port that was free just now; if another program takes it first, on another one.
    pub(crate) async fn start(options: &[&str]) -> Self {
        for _ in 0..10 {
            let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            let address = MemcachedAddress::Tcp { host: "127.0.0.1".to_owned(), port };
            if let Some(server) = Self::try_start(address, options).await {
                return server;
            }
        }
        panic!("memcached finds no port");
    }

    pub(crate) async fn start_at(socket: &Path, options: &[&str]) -> Self {
        let address = MemcachedAddress::Unix(PathBuf::from(socket));
        Self::try_start(address, options).await.expect("memcached starts")
    }

    async fn try_start(address: MemcachedAddress, options: &[&str]) -> Option<Self> {
        let options: Vec<_> = options.iter().map(|&option| option.to_owned()).collect();
        let child = spawn(&address, &options);
        let mut server = Self { address, options, child };
        server.wait().await.then_some(server)
    }

    pub(crate) fn member(&self) -> MemcachedServer {
        MemcachedServer { address: self.address.clone(), weight: 1 }
    }

    pub(crate) async fn kill(&mut self) {
        self.child.kill().await.unwrap();
    }

    /// At the same address.
    pub(crate) async fn start_again(&mut self) {
        self.child = spawn(&self.address, &self.options);
        assert!(self.wait().await, "memcached starts again");
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let id = self.child.id().and_then(|id| Pid::from_raw(id as i32)).unwrap();
        kill_process(id, signal).unwrap();
    }

    /// False: it has ended.
    async fn wait(&mut self) -> bool {
        let address = self.address.clone();
        let child = std::sync::Mutex::new(&mut self.child);
        let has_ended = || child.lock().unwrap().try_wait().unwrap().is_some();
        wait_until("memcached listens", || async { has_ended() || answers(&address).await }).await;
        !has_ended()
    }
}

fn spawn(address: &MemcachedAddress, options: &[String]) -> Child {
    // It refuses to run as root without `-u`.
    let mut command = Command::new("memcached");
    command.args(["-u", "root", "-U", "0", "-I", "2m", "-t", "1"]).args(options);
    match address {
        MemcachedAddress::Tcp { host, port } => command.args(["-l", host, "-p", &port.to_string()]),
        MemcachedAddress::Unix(path) => command.arg("-s").arg(path),
    };
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    command.spawn().expect("memcached is installed, see crates/xtask/src/packages.rs")
}

async fn answers(address: &MemcachedAddress) -> bool {
    match address {
        MemcachedAddress::Tcp { host, port } => TcpStream::connect((host.as_str(), *port)).await.is_ok(),
        MemcachedAddress::Unix(path) => UnixStream::connect(path).await.is_ok(),
    }
}
