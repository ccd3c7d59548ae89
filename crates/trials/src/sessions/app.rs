//! The applications: what they need, and how a server of each is started.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use bench::Process;
use clap::ValueEnum;
use rustix::process::Signal;
use tempfile::TempDir;
use xtask::{Outcome, packages, workspace};

use crate::server::{Server, free_address};

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum App {
    /// A small server of this program.
    Little,
    Php,
    Express,
    Flask,
}

/// Where applications keep their sessions.
#[derive(Clone, Debug)]
pub(crate) enum Handler {
    /// In each server.
    Local,
    /// In a memcached, or what looks like one.
    Memcached(SocketAddr),
    Redis(SocketAddr),
}

/// The libraries that are installed.
#[derive(Debug)]
pub(crate) struct Software {
    modules: PathBuf,
    /// The interpreter of a virtual environment.
    python: PathBuf,
}

/// A running server of an application.
#[derive(Debug)]
pub(crate) struct Shop {
    // invariant: dropped before what it asks.
    web: Server,
    /// What runs PHP behind it.
    php: Option<Process>,
    app: App,
    name: String,
    handler: Handler,
}

impl App {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Little => "little",
            Self::Php => "php",
            Self::Express => "express",
            Self::Flask => "flask",
        }
    }
}

impl Software {
    pub(crate) fn install(apps: &[App]) -> Outcome<Self> {
        let directory = workspace::target_directory()?.join("sessions");
        fs::create_dir_all(&directory).map_err(|error| format!("{}: {error}", directory.display()))?;
        let mut software = Self { modules: directory.join("node_modules"), python: PathBuf::new() };
        if apps.contains(&App::Php) {
            packages::ensure(packages::FOR_PHP)?;
        }
        if apps.contains(&App::Express) {
            packages::ensure(packages::FOR_EXPRESS)?;
            packages::install_npm(&directory, packages::NPM_EXPRESS)?;
        }
        if apps.contains(&App::Flask) {
            packages::ensure(packages::FOR_FLASK)?;
            software.python = packages::PYPI_FLASK.install(&directory)?;
        }
        Ok(software)
    }
}

impl Shop {
    /// Starts a server with this name.
    pub(crate) fn start(app: App, name: &str, handler: Handler, software: &Software) -> Outcome<Self> {
        Self::start_at(app, name, handler, software, free_address()?, Server::directory()?)
    }

    /// Ends the server and starts another one at its address. What it kept in memory is gone.
    pub(crate) fn restart(self, software: &Software) -> Outcome<Self> {
        let Self { web, php, app, name, handler } = self;
        let (address, directory) = (web.address(), web.into_directory());
        drop(php);
        Self::start_at(app, &name, handler, software, address, directory)
    }

    fn start_at(
        app: App,
        name: &str,
        handler: Handler,
        software: &Software,
        address: SocketAddr,
        directory: TempDir,
    ) -> Outcome<Self> {
        let sessions = directory.path().join("sessions");
        fs::create_dir_all(&sessions).map_err(|error| format!("{}: {error}", sessions.display()))?;
        let mut php = None;
        let mut command = match app {
            App::Little => {
                let program = std::env::current_exe().map_err(|error| error.to_string())?;
                let mut command = Server::command(program);
                command.args(["little-shop", &address.port().to_string(), name]);
                command
            }
            App::Php => {
                php = Some(start_fpm(directory.path(), &handler)?);
                let nginx = configure(
                    "nginx.conf",
                    directory.path(),
                    &[
                        ("@PORT@", &address.port().to_string()),
                        ("@SCRIPT@", &source("php/index.php").display().to_string()),
                        ("@NAME@", name),
                    ],
                )?;
                let mut command = Server::command("nginx");
                command.arg("-c").arg(nginx);
                command
            }
            App::Express => {
                let mut command = Server::command("node");
                command.env("NODE_PATH", &software.modules).arg(source("express/app.js"));
                command
            }
            App::Flask => {
                let mut command = Server::command(&software.python);
                let options =
                    "-m gunicorn --workers 1 --threads 8 --keep-alive 60 --log-level warning --bind";
                command.args(options.split(' ')).arg(address.to_string()).args(["--pythonpath"]);
                command.arg(source("flask")).arg("app:app").env("PYTHONDONTWRITEBYTECODE", "1");
                command
            }
        };
        handler.tell(&mut command, &sessions);
        command.env("APP_NAME", name).env("APP_PORT", address.port().to_string());
        let title = format!("{} {name}", app.name());
        let web = Server::start(&title, command, directory, &[address])?;
        Ok(Self { web, php, app, name: name.to_owned(), handler })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.web.address()
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Ends the server by KILL.
    pub(crate) fn kill(&mut self) -> Outcome {
        self.php = None;
        self.web.kill()
    }
}

impl Handler {
    fn tell(&self, command: &mut Command, sessions: &Path) {
        match self {
            Self::Local => command.env("APP_STORE", "local").env("APP_STORE_AT", sessions),
            Self::Memcached(at) => command.env("APP_STORE", "memcached").env("APP_STORE_AT", at.to_string()),
            Self::Redis(at) => command.env("APP_STORE", "redis").env("APP_STORE_AT", at.to_string()),
        };
    }

    /// PHP's `session.save_handler` and `session.save_path`.
    fn php(&self, sessions: &Path) -> (&'static str, String) {
        match self {
            Self::Local => ("files", sessions.display().to_string()),
            Self::Memcached(at) => ("memcached", at.to_string()),
            Self::Redis(at) => ("redis", format!("tcp://{at}")),
        }
    }
}

/// Starts php-fpm, which serves at the socket `fpm.sock` of `directory`.
fn start_fpm(directory: &Path, handler: &Handler) -> Outcome<Process> {
    let (name, path) = handler.php(&directory.join("sessions"));
    let config = configure("fpm.conf", directory, &[("@HANDLER@", name), ("@PATH@", &path)])?;
    let socket = directory.join("fpm.sock");
    let _ = fs::remove_file(&socket);
    let failed = |error: std::io::Error| format!("php-fpm: {error}");
    let output = fs::File::create(directory.join("fpm.output")).map_err(failed)?;
    let mut command = Server::command(packages::PHP_FPM);
    // It runs as our user, so that it may write into our directories.
    command.arg("--allow-to-run-as-root").arg("--fpm-config").arg(config);
    command.stdout(output.try_clone().map_err(failed)?).stderr(output);
    let mut process = Process::start_until(Signal::TERM, command)?;
    let serves = || std::os::unix::net::UnixStream::connect(&socket).is_ok();
    process.wait_until(std::time::Duration::from_secs(20), serves).map_err(|error| {
        format!("php-fpm: {error}\n{}", fs::read_to_string(directory.join("fpm.output")).unwrap_or_default())
    })?;
    Ok(process)
}

/// Writes a configuration of PHP's into `directory`.
fn configure(name: &str, directory: &Path, values: &[(&str, &str)]) -> Outcome<PathBuf> {
    let template = source(&format!("php/{name}"));
    let text = fs::read_to_string(&template).map_err(|error| format!("{}: {error}", template.display()))?;
    let text = text.replace("@DIR@", &directory.display().to_string());
    let text = values.iter().fold(text, |text, (word, value)| text.replace(word, value));
    let path = directory.join(name);
    fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(path)
}

/// A file of the applications.
fn source(name: &str) -> PathBuf {
    workspace::root().join("crates/e2e/apps").join(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_of_the_applications_is_there() {
        for name in ["php/index.php", "php/fpm.conf", "php/nginx.conf", "express/app.js", "flask/app.py"] {
            assert!(source(name).is_file(), "{name}");
        }
    }

    #[test]
    fn templates_are_filled() {
        let directory = TempDir::new().unwrap();
        let (handler, path) = Handler::Memcached("127.0.0.1:7".parse().unwrap()).php(directory.path());
        let config = configure("fpm.conf", directory.path(), &[("@HANDLER@", handler), ("@PATH@", &path)]);
        let text = fs::read_to_string(config.unwrap()).unwrap();
        assert!(text.contains("session.save_path] = 127.0.0.1:7\n") && !text.contains('@'), "{text}");
    }
}
