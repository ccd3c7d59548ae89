//! The servers behind Evenkeel, and their logs.

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use xtask::Outcome;

use super::compare::Seen;
use crate::script;
use crate::server::{Server, free_address};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Nginx,
    Apache,
    Node,
    Gunicorn,
}

/// A server that logs what it sees.
#[derive(Debug)]
pub(crate) struct Target(Server);

impl Kind {
    pub(crate) const ALL: [Self; 4] = [Self::Nginx, Self::Apache, Self::Node, Self::Gunicorn];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Nginx => "nginx",
            Self::Apache => "apache",
            Self::Node => "node",
            Self::Gunicorn => "gunicorn",
        }
    }

    fn command(self, directory: &Path, port: u16) -> Outcome<Command> {
        Ok(match self {
            Self::Nginx => {
                let mut command = Server::command("nginx");
                command.arg("-c").arg(fill("nginx.conf", directory, port)?);
                command
            }
            Self::Apache => {
                let count = fill("count.sh", directory, port)?;
                std::fs::set_permissions(&count, PermissionsExt::from_mode(0o755))
                    .map_err(|error| format!("{}: {error}", count.display()))?;
                let mut command = Server::command("apache2");
                command.args(["-D", "FOREGROUND", "-f"]).arg(fill("apache.conf", directory, port)?);
                command
            }
            Self::Node => {
                let mut command = Server::command("node");
                command.arg(script::path("conformance", "node.js")).arg(port.to_string()).arg(directory);
                command
            }
            Self::Gunicorn => {
                let mut command = Server::command("gunicorn");
                command.env("SEEN", directory.join(SEEN)).env("PYTHONDONTWRITEBYTECODE", "1");
                command.args(["--worker-class", "gthread", "--threads", "4", "--keep-alive", "5"]);
                command.args(["--bind", &format!("127.0.0.1:{port}"), "--chdir"]);
                command.arg(script::path("conformance", "")).arg("gunicorn_app:application");
                command
            }
        })
    }
}

impl Target {
    pub(crate) fn start(kind: Kind) -> Outcome<Self> {
        let (directory, address) = (Server::directory()?, free_address()?);
        let command = kind.command(directory.path(), address.port())?;
        Ok(Self(Server::start(kind.name(), command, directory, &[address])?))
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.0.address()
    }

    /// The log, once it has `expected` lines, or after a timeout. Then it waits for one more line, which a smuggled
    /// request would add.
    pub(crate) fn seen(&self, expected: usize) -> Outcome<Vec<Seen>> {
        let deadline = Instant::now() + LOG_TIMEOUT;
        while self.read()?.len() < expected && Instant::now() < deadline {
            thread::sleep(POLL_PAUSE);
        }
        thread::sleep(LOG_PAUSE);
        self.read()
    }

    fn read(&self) -> Outcome<Vec<Seen>> {
        let bytes = std::fs::read(self.0.path(SEEN)).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        let line = |line: &str| parse(line).ok_or_else(|| format!("not a line of its log: {line:?}"));
        text.lines().map(line).collect()
    }
}

/// Parses a line of a log: values with tabs between them. Apache logs the request line as one value, and escapes it.
fn parse(line: &str) -> Option<Seen> {
    let values: Vec<_> = line.split('\t').collect();
    let (id, request, status, bytes) = match values[..] {
        [id, line, status, bytes] => (id, line.replace("\\\"", "\"").replace("\\\\", "\\"), status, bytes),
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

/// Copies a file into `directory` and fills in its placeholders.
fn fill(name: &str, directory: &Path, port: u16) -> Outcome<PathBuf> {
    let path = script::path("conformance", name);
    let text = std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let text = text.replace("@PORT@", &port.to_string()).replace("@DIR@", &directory.display().to_string());
    let filled = directory.join(name);
    std::fs::write(&filled, text).map_err(|error| format!("{}: {error}", filled.display()))?;
    Ok(filled)
}

const SEEN: &str = "seen.log";
const LOG_TIMEOUT: Duration = Duration::from_secs(2);
const POLL_PAUSE: Duration = Duration::from_millis(20);
/// How long one more line is waited for.
const LOG_PAUSE: Duration = Duration::from_millis(300);

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
        assert_eq!(parse("i\tGET\t/a\"\\\t200\t5"), Some(seen.clone()));
        assert_eq!(parse("i\tGET /a\\\"\\\\ HTTP/1.1\t200\t5"), Some(seen));
        let refused = parse("-\t-\t400\t-").unwrap();
        assert_eq!((refused.status, refused.body_bytes), (400, None));
        assert_eq!(parse("nonsense"), None);
    }
}
