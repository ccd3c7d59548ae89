//! Servers as child processes, and the binary of Evenkeel.

use std::fs::{self, File};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use bench::Process;
use rustix::process::Signal;
use tempfile::TempDir;
use xtask::{Outcome, workspace};

/// A server that serves. Dropping it ends the process and deletes its directory.
///
/// It ends by TERM, so that it can end its own children.
#[derive(Debug)]
pub(crate) struct Server {
    process: Process,
    address: SocketAddr,
    directory: TempDir,
}

impl Server {
    /// A command for [`Self::start`]: the program, and in its `PATH` the directories of system tools. It is ended by
    /// the kernel if this process ends first.
    pub(crate) fn command(program: impl AsRef<Path>) -> Command {
        let path = std::env::var("PATH").unwrap_or_default();
        let mut command = Process::bound(Signal::TERM);
        command.arg(program.as_ref()).env("PATH", format!("{path}:/usr/sbin:/sbin"));
        command
    }

    /// A directory for the files of a server. Other users may read it: Apache's children are not root.
    pub(crate) fn directory() -> Outcome<TempDir> {
        let failed = |error: std::io::Error| format!("a temporary directory: {error}");
        let directory = TempDir::new().map_err(failed)?;
        fs::set_permissions(directory.path(), PermissionsExt::from_mode(0o755)).map_err(failed)?;
        Ok(directory)
    }

    /// Starts `command` and waits until it accepts connections at all `addresses`, of which there is at least one.
    pub(crate) fn start(
        name: &str,
        mut command: Command,
        directory: TempDir,
        addresses: &[SocketAddr],
    ) -> Outcome<Self> {
        let output = directory.path().join("output");
        let failed = |error: std::io::Error| format!("{name}: {error}");
        let file = File::create(&output).map_err(failed)?;
        command.stdout(file.try_clone().map_err(failed)?).stderr(file);
        let mut process = Process::start_until(Signal::TERM, command)?;
        let accepts = || addresses.iter().all(|address| TcpStream::connect(address).is_ok());
        process.wait_until(READY_TIMEOUT, accepts).map_err(|error| {
            format!("{name}: {error}\n{}", fs::read_to_string(&output).unwrap_or_default())
        })?;
        let address = *addresses.first().ok_or("a server without an address")?;
        Ok(Self { process, address, directory })
    }

    /// The first of its addresses.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// A file in its directory.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The directory of its files, for another server that takes its place.
    pub(crate) fn into_directory(self) -> TempDir {
        self.directory
    }

    pub(crate) fn signal(&self, signal: Signal) -> Outcome {
        self.process.signal(signal)
    }

    /// Ends it by KILL.
    pub(crate) fn kill(&mut self) -> Outcome {
        self.process.kill()
    }

    /// Resident memory of the process and its children.
    pub(crate) fn resident_bytes(&self) -> u64 {
        self.process.resident_with_children()
    }
}

/// An address on the loopback interface that is free now. If another process takes it first, the server fails to start.
pub(crate) fn free_address() -> Outcome<SocketAddr> {
    Ok(SocketAddr::from(([127, 0, 0, 1], bench::free_port()?)))
}

/// The binary of Evenkeel, after it was built: `EVENKEEL_BIN` if that is set, else the release or the debug build.
pub(crate) fn evenkeel(release: bool) -> Outcome<PathBuf> {
    if let Some(binary) = std::env::var_os("EVENKEEL_BIN") {
        return Ok(binary.into());
    }
    let (profile, directory) = if release { ("release", "release") } else { ("dev", "debug") };
    let build = ["build", "--package", "evenkeel", "--profile", profile];
    workspace::run(workspace::cargo().args(build))?;
    Ok(workspace::target_directory()?.join(directory).join("evenkeel"))
}

const READY_TIMEOUT: Duration = Duration::from_secs(20);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_does_not_start_shows_its_output() {
        let mut command = Server::command("sh");
        command.args(["-c", "echo no such module; exit 1"]);
        let directory = Server::directory().unwrap();
        let error = Server::start("one", command, directory, &[free_address().unwrap()]).unwrap_err();
        assert!(error.starts_with("one: ended at once") && error.contains("no such module"), "{error}");
    }
}
