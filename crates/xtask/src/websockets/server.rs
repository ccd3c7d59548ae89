//! The servers.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::needs::Needs;
use crate::Outcome;

/// A server that listens. Its drop ends it.
#[derive(Debug)]
pub(crate) struct Server {
    name: &'static str,
    child: Child,
    address: SocketAddr,
}

impl Server {
    pub(crate) fn node(needs: &Needs) -> Outcome<Self> {
        Self::start("node", needs.node("server.js"))
    }

    pub(crate) fn python(needs: &Needs) -> Outcome<Self> {
        Self::start("python", needs.python_script("server.py"))
    }

    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    fn start(name: &'static str, mut command: Command) -> Outcome<Self> {
        let io = |error: std::io::Error| format!("{name}: {error}");
        let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).map_err(io)?;
        let child = command.arg(free.port().to_string()).stdin(Stdio::null()).spawn().map_err(io)?;
        let mut server = Self { name, child, address: free };
        let deadline = Instant::now() + READY_TIMEOUT;
        while TcpStream::connect(server.address).is_err() {
            let is_over = server.child.try_wait().is_ok_and(|status| status.is_some());
            if is_over || Instant::now() > deadline {
                return Err(format!("{name}: does not serve"));
            }
            thread::sleep(READY_PAUSE);
        }
        Ok(server)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

const READY_TIMEOUT: Duration = Duration::from_secs(20);
const READY_PAUSE: Duration = Duration::from_millis(20);
