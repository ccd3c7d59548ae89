//! Debian packages that tasks need.

use std::process::Command;

use crate::{Outcome, workspace};

/// Program, the package it comes from. The one place where a need is written down.
type Needed = [(&'static str, &'static str)];

pub(crate) const FOR_TESTS: &Needed = &[
    ("curl", "curl"),
    // Peers vanish in network namespaces.
    ("ip", "iproute2"),
    ("ss", "iproute2"),
    ("openssl", "openssl"),
    // Tests of the bench pin their child processes.
    ("setpriv", "util-linux"),
    ("taskset", "util-linux"),
];

/// The servers that are compared.
pub(crate) const FOR_CONFORMANCE: &Needed = &[
    ("nginx", "nginx-light"),
    ("apache2", "apache2-bin"),
    ("node", "nodejs"),
    ("gunicorn", "gunicorn"),
    ("setpriv", "util-linux"),
];

/// Clients and servers of WebSockets; their libraries come from npm and PyPI.
pub(crate) const FOR_WEBSOCKETS: &Needed = &[
    ("node", "nodejs"),
    ("npm", "npm"),
    ("python3", "python3-venv"),
    ("chromium", "chromium"),
    ("setpriv", "util-linux"),
];

/// The proxies that we are compared with, and what loads, pins and measures them.
pub(crate) const FOR_BENCH: &Needed = &[
    ("haproxy", "haproxy"),
    ("nginx", "nginx-light"),
    ("wrk", "wrk"),
    ("h2load", "nghttp2-client"),
    ("strip", "binutils"),
    ("setpriv", "util-linux"),
    ("taskset", "util-linux"),
    ("chrt", "util-linux"),
];

/// Servers that a task can be tried on instead of Evenkeel.
pub(crate) const FOR_STAND_INS: &Needed =
    &[("haproxy", "haproxy"), ("nginx", "nginx-light"), ("setpriv", "util-linux")];

/// `grpcio` comes from PyPI.
pub(crate) const FOR_GRPC: &Needed = &[("python3", "python3-venv"), ("setpriv", "util-linux")];

/// Who looks at TLS from outside.
pub(crate) const FOR_TLS_AUDIT: &Needed = &[
    ("openssl", "openssl"),
    ("sslscan", "sslscan"),
    ("testssl", "testssl.sh"),
    // `testssl` needs it.
    ("hexdump", "bsdextrautils"),
    ("host", "bind9-host"),
    ("ps", "procps"),
];

/// Installs what is missing where we may; otherwise fails with the line that does it.
pub(crate) fn ensure(needed: &Needed) -> Outcome {
    let missing = missing(needed, workspace::installed);
    if missing.is_empty() {
        return Ok(());
    }
    let line = format!("apt-get install -y --no-install-recommends {}", missing.join(" "));
    if !(rustix::process::geteuid().is_root() && workspace::installed("apt-get")) {
        return Err(format!("this task needs more programs; run as root:\n  apt-get update && {line}"));
    }
    println!("installing {}", missing.join(" "));
    let apt = |arguments: &str| {
        let mut command = Command::new("apt-get");
        command.env("DEBIAN_FRONTEND", "noninteractive").args(arguments.split(' ').skip(1));
        workspace::run(&mut command)
    };
    apt("apt-get update -q").and_then(|()| apt(&line)).map_err(|error| format!("{error}\nrun:\n  {line}"))
}

fn missing(needed: &Needed, installed: impl Fn(&str) -> bool) -> Vec<&'static str> {
    let mut packages: Vec<_> =
        needed.iter().filter(|(program, _)| !installed(program)).map(|(_, package)| *package).collect();
    packages.dedup();
    packages
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_is_named_once() {
        let needed = [("curl", "curl"), ("setpriv", "util-linux"), ("taskset", "util-linux")];
        assert_eq!(missing(&needed, |_| false), ["curl", "util-linux"]);
        assert_eq!(missing(&needed, |program| program != "curl"), ["curl"]);
        assert_eq!(missing(&needed, |_| true), [""; 0]);
    }
}
