//! Evenkeel before a target, or HAProxy or nginx in its place: a task's own measure is tried on servers that are known.

use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use testkit::{Authority, Balancer, Leaf};

use crate::{Outcome, packages, workspace};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Server {
    #[default]
    Evenkeel,
    Haproxy,
    Nginx,
}

/// A server that serves. Its drop ends it.
#[derive(Debug)]
pub(crate) struct Running {
    process: Process,
    /// Where it speaks HTTP/1.1 in the clear.
    pub(crate) http1: SocketAddr,
    /// Where it speaks HTTP/2 by prior knowledge.
    pub(crate) http2: SocketAddr,
    /// Where it speaks both over TLS.
    pub(crate) tls: SocketAddr,
}

#[derive(Debug)]
enum Process {
    Evenkeel(Box<Balancer>),
    Other(Child, #[allow(dead_code, reason = "goes with it")] TempDir),
}

impl Server {
    pub(crate) fn parse(word: &str) -> Outcome<Self> {
        match word {
            "evenkeel" => Ok(Self::Evenkeel),
            "haproxy" => Ok(Self::Haproxy),
            "nginx" => Ok(Self::Nginx),
            _ => Err(format!("no server {word:?}: evenkeel, haproxy or nginx")),
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Evenkeel => "evenkeel",
            Self::Haproxy => "haproxy",
            Self::Nginx => "nginx",
        }
    }

    /// Makes it, or sees that it is installed.
    pub(crate) fn prepare(self, profile: &str) -> Outcome {
        if self != Self::Evenkeel {
            return packages::ensure(packages::FOR_STAND_INS);
        }
        let build = ["build", "--quiet", "--package", "evenkeel", "--profile", profile];
        workspace::run(workspace::cargo().args(build))
    }

    /// Starts it before a target of HTTP/1.1.
    pub(crate) fn start(self, profile: &str, target: SocketAddr) -> Outcome<Running> {
        let leaf = Authority::new("Test Root").leaf(&[]).issue();
        self.start_with(profile, target, &leaf, &leaf.pem())
    }

    /// The same, with this file of certificates and key.
    pub(crate) fn start_with(
        self,
        profile: &str,
        target: SocketAddr,
        leaf: &Leaf,
        bundle: &str,
    ) -> Outcome<Running> {
        if self == Self::Evenkeel {
            let directory = if profile == "dev" { "debug" } else { profile };
            let binary = workspace::target_directory()?.join(directory).join("evenkeel");
            let config = EVENKEEL.replace("@TARGET@", &target.to_string());
            let balancer = Balancer::prepare(config).file("site.pem", bundle).binary(binary).start();
            let (http, tls) = (balancer.address("web"), balancer.address("secure"));
            let process = Process::Evenkeel(Box::new(balancer));
            return Ok(Running { process, http1: http, http2: http, tls });
        }
        let failed = |error: std::io::Error| format!("{}: {error}", self.name());
        let directory = TempDir::new().map_err(failed)?;
        let [http1, http2, tls] = [(); 3].map(|()| free_address());
        let (http1, http2, tls) = (http1?, http2?, tls?);
        let path = directory.path();
        let text = (if self == Self::Haproxy { HAPROXY } else { NGINX })
            .replace("@TARGET@", &target.to_string())
            .replace("@HTTP1@", &http1.to_string())
            .replace("@HTTP2@", &http2.to_string())
            .replace("@TLS@", &tls.to_string())
            .replace("@DIR@", &path.display().to_string());
        fs::write(path.join("config"), text).map_err(failed)?;
        fs::write(path.join("site.pem"), bundle).map_err(failed)?;
        fs::write(path.join("key.pem"), leaf.key_pem()).map_err(failed)?;
        let child = self.command(path)?.spawn().map_err(failed)?;
        let mut running = Running { process: Process::Other(child, directory), http1, http2, tls };
        running.wait()?;
        Ok(running)
    }

    fn command(self, directory: &Path) -> Outcome<Command> {
        let log = fs::File::create(directory.join("log")).map_err(|error| error.to_string())?;
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "TERM", "--", self.name()]);
        if self == Self::Haproxy {
            command.args(["-db", "-f"])
        } else {
            command.arg("-c")
        };
        let path = std::env::var("PATH").unwrap_or_default();
        command.arg(directory.join("config")).env("PATH", format!("{path}:/usr/sbin:/sbin"));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        Ok(command)
    }
}

impl Running {
    /// Resident memory of the process and its children.
    pub(crate) fn resident_bytes(&self) -> u64 {
        match &self.process {
            Process::Evenkeel(balancer) => balancer.resident_bytes(),
            Process::Other(child, _) => family(child.id()).into_iter().map(resident).sum(),
        }
    }

    fn wait(&mut self) -> Outcome {
        let Process::Other(child, directory) = &mut self.process else { return Ok(()) };
        let deadline = Instant::now() + READY_TIMEOUT;
        while [self.http1, self.http2, self.tls].iter().any(|address| TcpStream::connect(address).is_err()) {
            if child.try_wait().is_ok_and(|status| status.is_some()) || Instant::now() > deadline {
                let log = fs::read_to_string(directory.path().join("log")).unwrap_or_default();
                return Err(format!("does not serve\n{log}"));
            }
            thread::sleep(READY_PAUSE);
        }
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Self::Other(child, _) = self {
            // By its signal, so that it ends its own children.
            let _ = rustix::process::kill_process(
                rustix::process::Pid::from_child(child),
                rustix::process::Signal::TERM,
            );
            let _ = child.wait();
        }
    }
}

/// A process and its children.
fn family(parent: u32) -> Vec<u32> {
    let children = fs::read_to_string(format!("/proc/{parent}/task/{parent}/children")).unwrap_or_default();
    std::iter::once(parent).chain(children.split(' ').filter_map(|word| word.trim().parse().ok())).collect()
}

fn resident(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
    kilobytes.unwrap_or(0) * 1024
}

/// An address of the kernel's choice. Somebody else may take it before it is used; that fails and is seen.
pub(crate) fn free_address() -> Outcome<SocketAddr> {
    TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .map_err(|error| format!("a free port: {error}"))
}

const READY_TIMEOUT: Duration = Duration::from_secs(10);
const READY_PAUSE: Duration = Duration::from_millis(20);

const EVENKEEL: &str = r#"
workers = 2

[listener.web]
bind = "127.0.0.1:0"
forward = "app"

[listener.secure]
bind = "127.0.0.2:0"
protocol = "https"
certificates = ["site.pem"]
forward = "app"

[target_group.app]
targets = ["@TARGET@"]
"#;

const HAPROXY: &str = "
global
    nbthread 2
    ssl-default-bind-options ssl-min-ver TLSv1.2
defaults
    mode http
    timeout connect 5s
    timeout client 60s
    timeout server 60s
frontend web
    bind @HTTP1@
    bind @HTTP2@
    bind @TLS@ ssl crt @DIR@/site.pem alpn h2,http/1.1
    default_backend app
backend app
    server one @TARGET@
";

const NGINX: &str = "
daemon off;
worker_processes 2;
pid @DIR@/pid;
error_log stderr;
events { worker_connections 4096; }
http {
    access_log off;
    client_body_temp_path @DIR@/body;
    proxy_temp_path @DIR@/proxy;
    fastcgi_temp_path @DIR@/fastcgi;
    uwsgi_temp_path @DIR@/uwsgi;
    scgi_temp_path @DIR@/scgi;
    keepalive_requests 1000000;
    upstream app { server @TARGET@; keepalive 64; }
    server {
        listen @HTTP1@;
        listen @HTTP2@ http2;
        listen @TLS@ ssl http2;
        ssl_certificate @DIR@/site.pem;
        ssl_certificate_key @DIR@/key.pem;
        location / {
            proxy_pass http://app;
            proxy_http_version 1.1;
            proxy_set_header Connection \"\";
        }
    }
}
";
