//! The proxy of a trial: Evenkeel, or HAProxy or nginx in its place, so that a trial can be tried on known servers.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::ValueEnum;
use testkit::{Authority, Balancer, Leaf};
use xtask::{Outcome, packages};

use crate::server::{self, Server, free_address};

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Program {
    Evenkeel,
    Haproxy,
    Nginx,
}

/// A program that has been built or installed.
#[derive(Clone, Debug)]
pub(crate) struct Prepared {
    program: Program,
    binary: PathBuf,
}

/// A proxy that serves. Dropping it ends its process.
#[derive(Debug)]
pub(crate) struct Proxy {
    process: Running,
    /// Where it speaks HTTP/1.1 in the clear.
    pub(crate) http1: SocketAddr,
    /// Where it speaks HTTP/2 by prior knowledge.
    pub(crate) http2: SocketAddr,
    /// Where it speaks both over TLS.
    pub(crate) tls: SocketAddr,
}

#[derive(Debug)]
enum Running {
    Evenkeel(Box<Balancer>),
    Other(Server),
}

impl Program {
    fn name(self) -> &'static str {
        match self {
            Self::Evenkeel => "evenkeel",
            Self::Haproxy => "haproxy",
            Self::Nginx => "nginx",
        }
    }

    /// Builds Evenkeel, or installs the other program if it is missing.
    pub(crate) fn prepare(self, release: bool) -> Outcome<Prepared> {
        let binary = match self {
            Self::Evenkeel => server::evenkeel(release)?,
            Self::Haproxy | Self::Nginx => {
                packages::ensure(packages::FOR_STAND_INS)?;
                self.name().into()
            }
        };
        Ok(Prepared { program: self, binary })
    }
}

impl Prepared {
    /// Starts the proxy in front of an HTTP/1.1 target.
    pub(crate) fn start(&self, target: SocketAddr) -> Outcome<Proxy> {
        let leaf = Authority::new("Test Root").leaf(&[]).issue();
        self.start_with(target, &leaf, &leaf.pem())
    }

    /// Starts the proxy with this file of certificates and key.
    pub(crate) fn start_with(&self, target: SocketAddr, leaf: &Leaf, bundle: &str) -> Outcome<Proxy> {
        match self.program {
            Program::Evenkeel => {
                let config = EVENKEEL.replace("@TARGET@", &target.to_string());
                let prepared = Balancer::prepare(config).file("site.pem", bundle);
                let balancer = prepared.binary(self.binary.clone()).start();
                let (http, tls) = (balancer.address("web"), balancer.address("secure"));
                Ok(Proxy { process: Running::Evenkeel(Box::new(balancer)), http1: http, http2: http, tls })
            }
            Program::Haproxy => self.start_other(HAPROXY, &["-db", "-f"], target, leaf, bundle),
            Program::Nginx => self.start_other(NGINX, &["-c"], target, leaf, bundle),
        }
    }

    fn start_other(
        &self,
        template: &str,
        options: &[&str],
        target: SocketAddr,
        leaf: &Leaf,
        bundle: &str,
    ) -> Outcome<Proxy> {
        let directory = Server::directory()?;
        let (http1, http2, tls) = (free_address()?, free_address()?, free_address()?);
        let text = template
            .replace("@TARGET@", &target.to_string())
            .replace("@HTTP1@", &http1.to_string())
            .replace("@HTTP2@", &http2.to_string())
            .replace("@TLS@", &tls.to_string())
            .replace("@DIR@", &directory.path().display().to_string());
        for (name, text) in [("config", &*text), ("site.pem", bundle), ("key.pem", &*leaf.key_pem())] {
            fs::write(directory.path().join(name), text).map_err(|error| format!("{name}: {error}"))?;
        }
        let mut command = Server::command(&self.binary);
        command.args(options).arg(directory.path().join("config"));
        let server = Server::start(self.program.name(), command, directory, &[http1, http2, tls])?;
        Ok(Proxy { process: Running::Other(server), http1, http2, tls })
    }
}

impl Proxy {
    /// Resident memory of the process and its children.
    pub(crate) fn resident_bytes(&self) -> u64 {
        match &self.process {
            Running::Evenkeel(balancer) => balancer.resident_bytes(),
            Running::Other(server) => server.resident_bytes(),
        }
    }
}

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
