//! The servers, how each is started, and its log.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::compare::Seen;
use crate::{Outcome, workspace};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Server {
    Nginx,
    Apache,
    Node,
    Gunicorn,
}

/// A server that listens. Its drop ends it.
#[derive(Debug)]
pub(crate) struct Running {
    child: Child,
    port: u16,
    directory: TempDir,
}

impl Server {
    pub(crate) const ALL: [Self; 4] = [Self::Nginx, Self::Apache, Self::Node, Self::Gunicorn];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Nginx => "nginx",
            Self::Apache => "apache",
            Self::Node => "node",
            Self::Gunicorn => "gunicorn",
        }
    }

    pub(crate) fn start(self) -> Outcome<Running> {
        let io = |error: std::io::Error| format!("{}: {error}", self.name());
        let directory = TempDir::new().map_err(io)?;
        // Apache's children run as somebody else.
        std::fs::set_permissions(directory.path(), PermissionsExt::from_mode(0o755)).map_err(io)?;
        let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).map_err(io)?;
        let mut command = self.command(directory.path(), free.port())?;
        let log = std::fs::File::create(directory.path().join("output")).map_err(io)?;
        command.stdin(Stdio::null()).stdout(log.try_clone().map_err(io)?).stderr(log);
        let child = command.spawn().map_err(io)?;
        let mut running = Running { child, port: free.port(), directory };
        running.wait()?;
        Ok(running)
    }

    /// It is asked to end by the kernel when we end without having done it.
    fn command(self, directory: &Path, port: u16) -> Outcome<Command> {
        let files = workspace::root().join("crates/xtask/conformance");
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "TERM", "--"]);
        match self {
            Self::Nginx => command.arg("nginx").arg("-c").arg(fill(&files, "nginx.conf", directory, port)?),
            Self::Apache => {
                let script = fill(&files, "count.sh", directory, port)?;
                std::fs::set_permissions(&script, PermissionsExt::from_mode(0o755))
                    .map_err(|error| format!("{}: {error}", script.display()))?;
                let config = fill(&files, "apache.conf", directory, port)?;
                command.args(["apache2", "-D", "FOREGROUND", "-f"]).arg(config)
            }
            Self::Node => command.arg("node").arg(files.join("node.js")).arg(port.to_string()).arg(directory),
            Self::Gunicorn => command
                .env("SEEN", directory.join(SEEN))
                .env("PYTHONDONTWRITEBYTECODE", "1")
                .args(["gunicorn", "--worker-class", "gthread", "--threads", "4", "--keep-alive", "5"])
                .args(["--bind", &format!("127.0.0.1:{port}"), "--chdir"])
                .arg(files)
                .arg("gunicorn_app:application"),
        };
        let path = std::env::var("PATH").unwrap_or_default();
        command.env("PATH", format!("{path}:/usr/sbin:/sbin"));
        Ok(command)
    }

    /// Values with tabs between them; Apache logs the request line as a whole, and escapes it.
    fn parse(line: &str) -> Option<Seen> {
        let values: Vec<_> = line.split('\t').collect();
        let (id, request, status, bytes) = match values[..] {
            [id, line, status, bytes] => {
                (id, line.replace("\\\"", "\"").replace("\\\\", "\\"), status, bytes)
            }
            [id, method, target, status, bytes] => (id, format!("{method} {target}"), status, bytes),
            _ => return None,
        };
        let mut parts = request.split(' ');
        Some(Seen {
            id: id.to_owned(),
            method: parts.next()?.to_owned(),
            target: parts.next().unwrap_or_default().to_owned(),
            status: status.parse().ok()?,
            body_bytes: bytes.parse().ok(),
        })
    }
}

impl Running {
    pub(crate) fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port))
    }

    /// What it saw: waits until that many lines are there, and then for more, as a smuggled request would make.
    pub(crate) fn seen(&self, expected: usize) -> Outcome<Vec<Seen>> {
        let deadline = Instant::now() + LOG_TIMEOUT;
        loop {
            let seen = self.read()?;
            if seen.len() >= expected || Instant::now() > deadline {
                thread::sleep(LOG_PAUSE);
                return self.read();
            }
            thread::sleep(READY_PAUSE);
        }
    }

    fn read(&self) -> Outcome<Vec<Seen>> {
        let bytes = std::fs::read(self.directory.path().join(SEEN)).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        let parse =
            |line: &str| Server::parse(line).ok_or_else(|| format!("not a line of its log: {line:?}"));
        text.lines().map(parse).collect()
    }

    fn wait(&mut self) -> Outcome {
        let deadline = Instant::now() + READY_TIMEOUT;
        while TcpStream::connect(self.address()).is_err() {
            let is_over = self.child.try_wait().is_ok_and(|status| status.is_some());
            if is_over || Instant::now() > deadline {
                let output = std::fs::read_to_string(self.directory.path().join("output"));
                return Err(format!("does not serve: {}", output.unwrap_or_default()));
            }
            thread::sleep(READY_PAUSE);
        }
        Ok(())
    }
}

impl Drop for Running {
    /// Asks first: a server that is killed leaves its children.
    fn drop(&mut self) {
        let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
        let deadline = Instant::now() + END_TIMEOUT;
        while self.child.try_wait().is_ok_and(|status| status.is_none()) && Instant::now() < deadline {
            thread::sleep(READY_PAUSE);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Puts a file into `directory`, with its places filled in.
fn fill(files: &Path, name: &str, directory: &Path, port: u16) -> Outcome<PathBuf> {
    let path = files.join(name);
    let text = std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let text = text.replace("@PORT@", &port.to_string()).replace("@DIR@", &directory.display().to_string());
    let filled = directory.join(name);
    std::fs::write(&filled, text).map_err(|error| format!("{}: {error}", filled.display()))?;
    Ok(filled)
}

const SEEN: &str = "seen.log";
const READY_TIMEOUT: Duration = Duration::from_secs(10);
const READY_PAUSE: Duration = Duration::from_millis(20);
const LOG_TIMEOUT: Duration = Duration::from_secs(2);
/// How long one more line is waited for.
const LOG_PAUSE: Duration = Duration::from_millis(300);
const END_TIMEOUT: Duration = Duration::from_secs(3);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read() {
        let seen = Seen {
            id: "i".into(),
            method: "GET".into(),
            target: "/a\"\\".into(),
            status: 200,
            body_bytes: Some(5),
        };
        assert_eq!(Server::parse("i\tGET\t/a\"\\\t200\t5"), Some(seen.clone()));
        assert_eq!(Server::parse("i\tGET /a\\\"\\\\ HTTP/1.1\t200\t5"), Some(seen));
        let refused = Server::parse("-\t-\t400\t-").unwrap();
        assert_eq!((refused.status, refused.body_bytes), (400, None));
        assert_eq!(Server::parse("nonsense"), None);
    }
}
