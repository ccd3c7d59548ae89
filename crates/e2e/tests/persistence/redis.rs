//! A real Redis.

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use testkit::wait_until;

/// Ends with the test.
pub(crate) struct Redis {
    child: Child,
    port: u16,
    _folder: tempfile::TempDir,
}

impl Redis {
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        let child = Command::new("redis-server")
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
            .arg("--dir")
            .arg(folder.path())
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server, which `cargo xtask test` installs");
        wait_until("redis listens", || TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok());
        Self { child, port, _folder: folder }
    }

    /// The store `shared` of a balancer, with `more` lines.
    pub(crate) fn store(&self, more: &str) -> String {
        let url = format!("redis://127.0.0.1:{}", self.port);
        format!(
            "[session_store.shared]\ntype = \"redis\"\nurl = \"{url}\"\nkey_file = \"store.key\"\n{more}\n"
        )
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// It hangs.
    pub(crate) fn stop(&self) {
        self.signal(Signal::STOP);
    }

    pub(crate) fn go_on(&self) {
        self.signal(Signal::CONT);
    }

    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        // A test may have killed it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
