//! The session stores: servers that are started for a case, and the table that names them.

use std::fs;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::ValueEnum;
use rustix::process::{Signal, geteuid};
use tempfile::TempDir;
use xtask::{Outcome, packages, workspace};

use crate::server::{Server, free_address};

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum StoreKind {
    File,
    Sqlite,
    Postgres,
    Mariadb,
    Memcached,
    Redis,
}

/// A store with its servers.
#[derive(Debug)]
pub(crate) struct Store {
    kind: StoreKind,
    servers: Vec<Server>,
    /// Of a store that is files.
    directory: TempDir,
    /// What differs from a plain path or URL.
    place: String,
}

impl StoreKind {
    pub(crate) const ALL: [Self; 6] =
        [Self::File, Self::Sqlite, Self::Postgres, Self::Mariadb, Self::Memcached, Self::Redis];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
            Self::Mariadb => "mariadb",
            Self::Memcached => "memcached",
            Self::Redis => "redis",
        }
    }

    pub(crate) fn start(self) -> Outcome<Store> {
        self.start_with(&[])
    }

    /// Starts it with further options for its server.
    pub(crate) fn start_with(self, options: &[&str]) -> Outcome<Store> {
        packages::ensure(packages::FOR_STORES)?;
        let directory = Server::directory()?;
        let (servers, place) = match self {
            Self::File => (Vec::new(), format!("path = \"{}\"", directory.path().join("store").display())),
            Self::Sqlite => {
                (Vec::new(), format!("url = \"sqlite://{}\"", directory.path().join("db").display()))
            }
            Self::Postgres => {
                let server = postgres()?;
                let place = format!("url = \"postgres://evenkeel@{}/postgres\"", server.address());
                (vec![server], place)
            }
            Self::Mariadb => {
                let server = mariadb()?;
                let place = format!("url = \"mysql://root@{}/evenkeel\"", server.address());
                (vec![server], place)
            }
            Self::Memcached => {
                let servers: Vec<_> = (0..3).map(|_| memcached(options)).collect::<Outcome<_>>()?;
                let names: Vec<_> = servers.iter().map(|one| format!("\"{}\"", one.address())).collect();
                (servers, format!("servers = [{}]", names.join(", ")))
            }
            Self::Redis => {
                let server = redis(options)?;
                let place = format!("url = \"redis://{}/\"", server.address());
                (vec![server], place)
            }
        };
        Ok(Store { kind: self, servers, directory, place })
    }
}

impl Store {
    /// The table `[session_store.NAME]`. `keys` is the file of the key that all nodes share.
    pub(crate) fn table(&self, name: &str, keys: &Path) -> String {
        let kind = match self.kind {
            StoreKind::File => "file",
            StoreKind::Sqlite | StoreKind::Postgres | StoreKind::Mariadb => "sql",
            StoreKind::Memcached => "memcached",
            StoreKind::Redis => "redis",
        };
        let (place, keys) = (&self.place, keys.display());
        // A busy machine is not a slow store.
        let timeout = "timeout = \"250ms\"";
        format!("[session_store.{name}]\ntype = \"{kind}\"\n{place}\nkey_file = \"{keys}\"\n{timeout}\n")
    }

    /// The directory of the file store.
    pub(crate) fn path(&self) -> PathBuf {
        self.directory.path().join("store")
    }

    pub(crate) fn signal(&self, signal: Signal) -> Outcome {
        self.servers.iter().try_for_each(|server| server.signal(signal))
    }

    pub(crate) fn kill(&mut self) -> Outcome {
        self.servers.iter_mut().try_for_each(Server::kill)
    }

    pub(crate) fn addresses(&self) -> impl Iterator<Item = SocketAddr> {
        self.servers.iter().map(Server::address)
    }
}

pub(crate) fn memcached(options: &[&str]) -> Outcome<Server> {
    let address = free_address()?;
    let mut command = Server::command("memcached");
    command.args(["-u", "root", "-U", "0", "-l", "127.0.0.1", "-p", &address.port().to_string()]);
    command.args(options);
    Server::start("memcached", command, Server::directory()?, &[address])
}

pub(crate) fn redis(options: &[&str]) -> Outcome<Server> {
    let (address, directory) = (free_address()?, Server::directory()?);
    let mut command = Server::command("redis-server");
    command.args(["--bind", "127.0.0.1", "--port", &address.port().to_string(), "--save", "", "--dir"]);
    command.arg(directory.path()).args(options);
    Server::start("redis", command, directory, &[address])
}

fn mariadb() -> Outcome<Server> {
    let (address, directory) = (free_address()?, Server::directory()?);
    let data = directory.path().join("data");
    let path = |option: &str, name: &str| format!("--{option}={}", directory.path().join(name).display());
    let mut install = Command::new("mariadb-install-db");
    install.args([
        "--no-defaults",
        "--auth-root-authentication-method=normal",
        "--skip-test-db",
        "--user=root",
    ]);
    quietly(install.arg(path("datadir", "data")))?;
    // A directory is a database.
    fs::create_dir(data.join("evenkeel")).map_err(|error| format!("mariadb: {error}"))?;
    let mut command = Server::command("mariadbd");
    command.args(["--no-defaults", "--user=root", "--bind-address=127.0.0.1", "--skip-grant-tables"]);
    command.args([path("datadir", "data"), path("socket", "socket"), path("pid-file", "pid")]);
    command.arg(format!("--port={}", address.port())).arg("--innodb-flush-log-at-trx-commit=0");
    Server::start("mariadb", command, directory, &[address])
}

/// PostgreSQL refuses to be root.
fn postgres() -> Outcome<Server> {
    let (address, directory) = (free_address()?, Server::directory()?);
    let programs = postgres_programs()?;
    let data = directory.path().join("data");
    let mut user = Vec::new();
    if geteuid().is_root() {
        let id = output(Command::new("id").args(["-u", "postgres"]))?;
        let number = id.trim().parse().map_err(|_| "no user postgres".to_owned())?;
        chown(directory.path(), Some(number), None).map_err(|error| format!("postgres: {error}"))?;
        user =
            ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"].map(str::to_owned).to_vec();
    }
    let mut words = user.clone();
    words.push(programs.join("initdb").display().to_string());
    let mut initdb = Command::new(&words[0]);
    initdb.args(&words[1..]).args(["--auth=trust", "--username=evenkeel", "--no-sync", "-D"]).arg(&data);
    quietly(initdb.current_dir("/"))?;
    user.extend(["setpriv", "--pdeathsig", "INT", "--"].map(str::to_owned));
    let mut command = Server::command(&user[0]);
    command.args(&user[1..]).arg(programs.join("postgres")).arg("-D").arg(&data).current_dir("/");
    command.args([
        "-c",
        "fsync=off",
        "-c",
        "listen_addresses=127.0.0.1",
        "-p",
        &address.port().to_string(),
        "-k",
    ]);
    command.arg(directory.path());
    Server::start("postgres", command, directory, &[address])
}

/// The directory of the newest version.
fn postgres_programs() -> Outcome<PathBuf> {
    let root = Path::new("/usr/lib/postgresql");
    let entries = fs::read_dir(root).map_err(|error| format!("{}: {error}", root.display()))?;
    let newest = entries
        .flatten()
        .map(|entry| entry.path().join("bin"))
        .filter(|bin| bin.join("initdb").is_file())
        .max();
    newest.ok_or_else(|| "no PostgreSQL server is installed".into())
}

fn output(command: &mut Command) -> Outcome<String> {
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(text);
    }
    Err(format!("{command:?}: {}\n{text}{}", output.status, String::from_utf8_lossy(&output.stderr)))
}

fn quietly(command: &mut Command) -> Outcome {
    output(command).map(|_| ())
}

/// Empties a memcached.
pub(crate) fn flush(address: SocketAddr) -> Outcome {
    tell(address, "flush_all\r\n", "OK\r\n").map_err(|error| format!("flush_all at {address}: {error}"))
}

/// Fills a small memcached with items of all sizes that a session may have, so that it evicts what it had.
pub(crate) fn crowd_out(address: SocketAddr) -> Outcome {
    let mut text = String::new();
    for size in (16..=256).step_by(16) {
        for number in 0..CROWD {
            let value = "x".repeat(size);
            text += &format!("set noise:{size}:{number} 0 0 {size} noreply\r\n{value}\r\n");
        }
    }
    tell(address, &(text + "version\r\n"), "VERSION").map_err(|error| format!("crowd at {address}: {error}"))
}

fn tell(address: SocketAddr, commands: &str, expected: &str) -> io::Result<()> {
    let mut stream = TcpStream::connect(address)?;
    stream.write_all(commands.as_bytes())?;
    let mut answer = vec![0; expected.len()];
    stream.read_exact(&mut answer)?;
    if answer == expected.as_bytes() {
        return Ok(());
    }
    Err(io::Error::other(format!("{:?}", String::from_utf8_lossy(&answer))))
}

/// Options of a memcached of 1 MiB. Without the modern ones it evicts what is oldest, whether it was read or not.
pub(crate) const SMALL: &[&str] = &["-m", "1", "-I", "512k", "-o", "no_modern,slab_chunk_max=512"];
/// Items of each size. More than a page of memory (1 MiB) holds of any size.
const CROWD: usize = 10_000;

/// A small file system of its own, which can be full. Dropping it unmounts it.
#[derive(Debug)]
pub(crate) struct SmallDisk(PathBuf);

impl SmallDisk {
    pub(crate) fn mount(path: &Path) -> Outcome<Self> {
        fs::create_dir_all(path).map_err(|error| format!("{}: {error}", path.display()))?;
        let mut mount = Command::new("mount");
        workspace::run(mount.args(["-t", "tmpfs", "-o", "size=1m", "sessions"]).arg(path))?;
        Ok(Self(path.to_owned()))
    }

    /// Leaves no byte.
    pub(crate) fn fill(&self) -> Outcome {
        match fs::write(self.0.join("filler"), vec![1; 4 << 20]) {
            Err(error) if error.kind() == io::ErrorKind::StorageFull => Ok(()),
            other => Err(format!("the small disk is not full: {other:?}")),
        }
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").args(["--lazy"]).arg(&self.0).status();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_memcached_evicts_what_it_had() {
        let server = memcached(SMALL).unwrap();
        let address = server.address();
        tell(address, "set session 0 0 40\r\n0123456789012345678901234567890123456789\r\n", "STORED")
            .unwrap();
        tell(address, "get session\r\n", "VALUE").unwrap();
        crowd_out(address).unwrap();
        tell(address, "get session\r\n", "END").unwrap();
        flush(address).unwrap();
        tell(address, "get noise:16:9999\r\n", "END").unwrap();
    }
}
