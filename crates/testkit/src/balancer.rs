//! Runs the real binary as its own process, with configuration, logs and admin socket in a temporary directory.

use std::fmt::Display;
use std::fs;
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::thread;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use crate::metrics;
use crate::tls_client::TlsClient;
use crate::wait::{PATIENCE, wait_for, wait_until};

/// A running balancer. Dropping it ends the process, and panics if the balancer had panicked.
#[derive(Debug)]
pub struct Balancer {
    prepared: Prepared,
    process: Child,
    is_over: bool,
}

/// A balancer's former process. Dropping it kills it.
#[derive(Debug)]
pub struct Former(Child);

/// A balancer that is not started yet.
#[derive(Debug)]
pub struct Prepared {
    directory: TempDir,
    open_files: Option<u32>,
    machine: Option<String>,
    binary: Option<PathBuf>,
    stderr: Option<Stdio>,
}

impl Balancer {
    /// Starts a balancer with this configuration and waits until it serves.
    #[track_caller]
    pub fn start(config: impl Display) -> Self {
        Self::prepare(config).start()
    }

    pub fn prepare(config: impl Display) -> Prepared {
        let directory = TempDir::new().unwrap();
        fs::write(directory.path().join(CONFIG), config.to_string()).unwrap();
        Prepared { directory, open_files: None, machine: None, binary: None, stderr: None }
    }

    /// The address of the listener with this name.
    #[track_caller]
    pub fn address(&self, listener: &str) -> SocketAddr {
        let status = self.status();
        let listeners = status["listeners"].as_array().unwrap();
        let found = listeners.iter().find(|one| one["name"] == listener);
        let found = found.unwrap_or_else(|| panic!("no listener {listener} in {status}"));
        found["bind"][0]["actual"].as_str().unwrap().parse().unwrap()
    }

    /// The address of the listener `web`.
    #[track_caller]
    pub fn web(&self) -> SocketAddr {
        self.address("web")
    }

    /// A TLS client for the listener with this name.
    #[track_caller]
    pub fn tls_client(&self, listener: &str) -> TlsClient {
        TlsClient::to(self.address(listener))
    }

    /// `GET /status`
    #[track_caller]
    pub fn status(&self) -> Value {
        let (status, body) = self.admin("GET", "/status");
        assert_eq!(status, 200, "{body}");
        serde_json::from_str(&body).unwrap()
    }

    /// `GET /targets`
    #[track_caller]
    pub fn targets(&self) -> Vec<Value> {
        let (status, body) = self.admin("GET", "/targets");
        assert_eq!(status, 200, "{body}");
        serde_json::from_str(&body).unwrap()
    }

    /// Waits until the target at `address` is `health`.
    #[track_caller]
    pub fn wait_for_health(&self, address: SocketAddr, health: &str) {
        wait_until(&format!("{address} {health}"), || {
            self.targets().iter().any(|one| one["address"] == address.to_string() && one["health"] == health)
        });
    }

    /// `GET /metrics`
    #[track_caller]
    pub fn metrics(&self) -> String {
        let (status, page) = self.admin("GET", "/metrics");
        assert_eq!(status, 200, "{page}");
        page
    }

    /// The sum of the samples of `family` that have these labels.
    #[track_caller]
    pub fn metric(&self, family: &str, labels: &[(&str, &str)]) -> f64 {
        metrics::sum(&self.metrics(), family, labels)
    }

    /// Writes a new configuration and reloads it. `Err` is the status and the error text.
    pub fn reload(&self, config: impl Display) -> Result<Value, (u16, String)> {
        fs::write(self.path(CONFIG), config.to_string()).unwrap();
        let (status, body) = self.admin("POST", "/reload");
        if status == 200 { Ok(serde_json::from_str(&body).unwrap()) } else { Err((status, body)) }
    }

    /// Runs a command of the binary against this balancer.
    #[track_caller]
    pub fn run(&self, arguments: &[&str]) -> Output {
        let address = format!("unix:{}", self.path(ADMIN).display());
        Command::new(binary()).args(arguments).env("EVENKEEL_ADMIN", address).output().unwrap()
    }

    /// The complete lines of the access log so far.
    pub fn log_lines(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.path("access.log")).unwrap_or_default();
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        whole.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"))).collect()
    }

    /// Waits for an access log line with this value.
    #[track_caller]
    pub fn log_line(&self, key: &str, value: impl Into<Value>) -> Value {
        let value = value.into();
        wait_for(&format!("an access log line with {key}={value}"), || {
            self.log_lines().into_iter().find(|line| line[key] == value)
        })
    }

    /// What the process has written to standard error.
    pub fn stderr(&self) -> String {
        fs::read_to_string(self.path(STDERR)).unwrap_or_default()
    }

    /// Replaces a file beside the configuration.
    pub fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    /// The path of a file beside the configuration.
    pub fn path(&self, name: &str) -> PathBuf {
        self.prepared.directory.path().join(name)
    }

    /// Stops the process, and at once starts another one with the same configuration. Returns when that one serves.
    #[track_caller]
    pub fn restart(&mut self) -> Former {
        self.signal(Signal::TERM);
        let former = std::mem::replace(&mut self.process, self.prepared.launch(None));
        wait_until("the next process serves", || {
            if let Some(status) = self.process.try_wait().unwrap() {
                panic!("the next process ended with {status}:\n{}", self.stderr());
            }
            let status = ask(&self.path(ADMIN), "GET", "/status").map(|(_, body)| body).unwrap_or_default();
            let status: Value = serde_json::from_str(&status).unwrap_or_default();
            status["pid"] == self.process.id()
        });
        Former(former)
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.process), signal).unwrap();
    }

    /// Waits for the process to end.
    #[track_caller]
    pub fn wait_exit(&mut self) -> ExitStatus {
        let status = wait_for("the balancer's end", || self.process.try_wait().unwrap());
        self.is_over = true;
        status
    }

    pub fn process_id(&self) -> u32 {
        self.process.id()
    }

    /// Resident memory in bytes.
    pub fn resident_bytes(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
    }

    fn admin(&self, method: &str, path: &str) -> (u16, String) {
        ask(&self.path(ADMIN), method, path).unwrap_or_else(|error| panic!("{error}\n{}", self.stderr()))
    }
}

impl Prepared {
    /// Adds a file beside the configuration.
    #[must_use]
    pub fn file(self, name: &str, text: &str) -> Self {
        fs::write(self.directory.path().join(name), text).unwrap();
        self
    }

    /// The path of a file beside the configuration.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Uses this binary instead of the one beside the tests.
    #[must_use]
    pub fn binary(mut self, binary: PathBuf) -> Self {
        self.binary = Some(binary);
        self
    }

    /// Connects standard error with this instead of a file; [`Balancer::stderr`] is empty then.
    #[must_use]
    pub fn stderr(mut self, to: impl Into<Stdio>) -> Self {
        self.stderr = Some(to.into());
        self
    }

    /// A command of the binary in the directory of the configuration, `evenkeel.toml`.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.binary.clone().unwrap_or_else(binary));
        command.args(arguments).current_dir(self.directory.path());
        command.env("EVENKEEL_ADMIN", format!("unix:{}", self.path(ADMIN).display()));
        command
    }

    /// Limits the number of open files.
    #[must_use]
    pub fn open_files(mut self, limit: u32) -> Self {
        self.open_files = Some(limit);
        self
    }

    /// Starts it on this machine of a [`crate::Network`].
    #[must_use]
    pub fn inside(mut self, machine: &str) -> Self {
        self.machine = Some(machine.to_owned());
        self
    }

    #[track_caller]
    pub fn start(self) -> Balancer {
        let mut balancer = self.spawn();
        wait_until("the balancer serves", || {
            if let Some(status) = balancer.process.try_wait().unwrap() {
                panic!("the balancer ended with {status}:\n{}", balancer.stderr());
            }
            ask(&balancer.path(ADMIN), "GET", "/status").is_ok_and(|(status, _)| status == 200)
        });
        balancer
    }

    /// Starts the process without waiting until it serves.
    pub fn spawn(mut self) -> Balancer {
        let stderr = self.stderr.take();
        let process = self.launch(stderr);
        Balancer { prepared: self, process, is_over: false }
    }

    fn launch(&self, stderr: Option<Stdio>) -> Child {
        let path = |name: &str| self.directory.path().join(name);
        let binary = self.binary.clone().unwrap_or_else(binary);
        let mut command = match (self.open_files, &self.machine) {
            (None, None) => Command::new(binary),
            (_, Some(machine)) => {
                let mut ip = Command::new("ip");
                ip.args(["netns", "exec", machine]).arg(binary);
                ip
            }
            (Some(limit), None) => {
                let mut shell = Command::new("sh");
                shell.args(["-c", &format!("ulimit -n {limit}; exec \"$0\" \"$@\"")]).arg(binary);
                shell
            }
        };
        let output = |name| fs::File::options().create(true).append(true).open(path(name)).unwrap();
        command
            .arg("run")
            .arg("-c")
            .arg(path(CONFIG))
            .arg("--admin")
            .arg(format!("unix:{}", path(ADMIN).display()))
            .stdin(Stdio::null())
            .stdout(output("stdout"))
            .stderr(stderr.unwrap_or_else(|| output(STDERR).into()))
            .spawn()
            .unwrap()
    }
}

impl Former {
    /// Waits for the process to end.
    #[track_caller]
    pub fn wait_exit(&mut self) -> ExitStatus {
        wait_for("the former process's end", || self.0.try_wait().unwrap())
    }
}

impl Drop for Former {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        let panics = if self.is_over || thread::panicking() {
            0.0
        } else {
            let page = ask(&self.path(ADMIN), "GET", "/metrics").map(|(_, page)| page).unwrap_or_default();
            metrics::sum(&page, "evenkeel_worker_task_panics_total", &[])
        };
        let _ = self.process.kill();
        let _ = self.process.wait();
        let stderr = self.stderr();
        if thread::panicking() {
            eprintln!("--- the balancer's standard error:\n{stderr}");
        } else {
            assert!(panics == 0.0 && !stderr.contains("panic"), "the balancer panicked:\n{stderr}");
        }
    }
}

/// Sends one request to an admin socket.
fn ask(socket: &Path, method: &str, path: &str) -> std::io::Result<(u16, String)> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(stream, "{method} {path} HTTP/1.1\r\nHost: evenkeel\r\nContent-Length: 0\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_default();
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    Ok((status.ok_or(std::io::ErrorKind::InvalidData)?, body.to_owned()))
}

/// `EVENKEEL_BIN`, or the binary beside the tests.
fn binary() -> PathBuf {
    if let Some(path) = std::env::var_os("EVENKEEL_BIN") {
        return path.into();
    }
    let test = std::env::current_exe().unwrap();
    let binary = test.parent().and_then(Path::parent).unwrap().join("evenkeel");
    assert!(binary.exists(), "{} does not exist: run cargo build -p evenkeel", binary.display());
    binary
}

const CONFIG: &str = "evenkeel.toml";
const ADMIN: &str = "admin.sock";
const STDERR: &str = "stderr";
