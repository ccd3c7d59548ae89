//! Servers as child processes, which tests stop, kill and start again.

use std::fs::Permissions;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// A server with its data in a directory of its own.
#[derive(Debug)]
pub(crate) struct Server {
    command: Command,
    child: Option<Child>,
    directory: TempDir,
    pub(crate) port: u16,
    kind: Kind,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    Postgres,
    Mariadb,
    Redis,
}

impl Server {
    /// Starts what `command` makes of a directory and a port.
    pub(crate) fn start(kind: Kind, directory: TempDir, command: impl FnOnce(&Path, u16) -> Command) -> Self {
        let port = free_port();
        let command = command(directory.path(), port);
        let mut server = Self { command, child: None, directory, port, kind };
        server.restart();
        server
    }

    /// With all rights, on the database for tests.
    pub(crate) fn url(&self) -> String {
        self.url_of("root", "s3cret", "sessions")
    }

    pub(crate) fn url_of(&self, user: &str, password: &str, database: &str) -> String {
        let (scheme, port) = (self.kind.scheme(), self.port);
        format!("{scheme}://{user}:{password}@127.0.0.1:{port}/{database}")
    }

    pub(crate) fn certificate(&self) -> String {
        self.directory.path().join("tls.crt").display().to_string()
    }

    pub(crate) fn restart(&mut self) {
        self.kill();
        let log = std::fs::File::create(self.directory.path().join("log")).expect("a log");
        self.command.stdin(Stdio::null()).stdout(log.try_clone().expect("a log")).stderr(log);
        self.child = Some(self.command.spawn().expect("a server"));
    }

    pub(crate) fn kill(&mut self) {
        self.signal(Signal::CONT);
        if let Some(mut child) = self.child.take() {
            child.kill().expect("its process");
            child.wait().expect("its end");
        }
    }

    /// Signals the server and its children; returns once a stop has stopped all of their threads.
    pub(crate) fn signal(&self, signal: Signal) {
        let Some(child) = &self.child else { return };
        let children = format!("/proc/{0}/task/{0}/children", child.id());
        let children = std::fs::read_to_string(children).unwrap_or_default();
        let children = children.split_whitespace().filter_map(|pid| Pid::from_raw(pid.parse().ok()?));
        for pid in children.chain([Pid::from_child(child)]) {
            // A child may have ended.
            _ = kill_process(pid, signal);
            while signal == Signal::STOP && !is_stopped(pid) {
                std::thread::yield_now();
            }
        }
    }
}

fn is_stopped(pid: Pid) -> bool {
    let threads =
        std::fs::read_dir(format!("/proc/{}/task", pid.as_raw_pid())).into_iter().flatten().flatten();
    let mut states = threads.filter_map(|thread| std::fs::read_to_string(thread.path().join("stat")).ok());
    // The state follows the name, which stands in parentheses.
    states.all(|stat| stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with(['T', 'Z'])))
}

impl Kind {
    fn scheme(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::Mariadb => "mysql",
            Self::Redis => "redis",
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            let log = std::fs::read_to_string(self.directory.path().join("log")).unwrap_or_default();
            let tail = log.lines().rev().take(15).collect::<Vec<_>>();
            eprintln!("the server's log, last line first:\n{}", tail.join("\n"));
        }
    }
}

/// A directory that belongs to the user under which servers run.
pub(crate) fn directory() -> TempDir {
    let directory = tempfile::tempdir().expect("a directory");
    give(directory.path());
    directory
}

/// Gives a file to the user under which servers run.
pub(crate) fn give(path: &Path) {
    if rustix::process::geteuid().is_root() {
        chown(path, Some(NOBODY), Some(NOBODY)).expect("root may give");
    }
}

/// Writes `tls.crt` and `tls.key`, for a server that refuses a key which others may read.
pub(crate) fn make_certificate(directory: &TempDir) {
    let names = vec!["127.0.0.1".to_owned()];
    let made = rcgen::generate_simple_self_signed(names).expect("a certificate");
    std::fs::write(directory.path().join("tls.crt"), made.cert.pem()).expect("a file");
    let key = directory.path().join("tls.key");
    std::fs::write(&key, made.signing_key.serialize_pem()).expect("a file");
    std::fs::set_permissions(&key, Permissions::from_mode(0o600)).expect("its mode");
    give(&key);
}

/// Databases refuse to run as root. The process ends with the thread that starts it.
pub(crate) fn unprivileged(program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    if rustix::process::geteuid().is_root() {
        let id = NOBODY.to_string();
        command.args(["--reuid", &id, "--regid", &id, "--clear-groups"]);
    }
    command.args(["--pdeathsig", "KILL"]).arg(program).current_dir("/");
    command
}

/// Runs a program to its end.
pub(crate) fn run(command: &mut Command) {
    let output = command.stdin(Stdio::null()).output().expect("a program");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

pub(crate) fn program(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut directories: Vec<PathBuf> = versions.map(|version| version.path().join("bin")).collect();
    directories.extend(std::env::split_paths(&path));
    directories.push("/usr/sbin".into());
    let program = directories.iter().map(|directory| directory.join(name)).find(|path| path.is_file());
    program.unwrap_or_else(|| panic!("{name} is missing; `cargo xtask test` installs it"))
}

pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    listener.local_addr().expect("an address").port()
}

/// The user that owns nothing.
const NOBODY: u32 = 65534;
