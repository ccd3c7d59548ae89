//! The libraries that the scripts need, from the registries of their languages, in a directory of ours.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{Outcome, workspace};

pub(crate) struct Needs {
    directory: PathBuf,
}

impl Needs {
    /// Installs what is not there yet.
    pub(crate) fn install(directory: &Path) -> Outcome<Self> {
        std::fs::create_dir_all(directory).map_err(|error| format!("{}: {error}", directory.display()))?;
        let needs = Self { directory: directory.to_path_buf() };
        if !needs.directory.join("node_modules/ws").is_dir() {
            println!("installing {WS}");
            let mut npm = Command::new("npm");
            npm.args(["install", "--silent", "--no-audit", "--no-fund", "--prefix"]).arg(directory).arg(WS);
            workspace::run(&mut npm)?;
        }
        let python = needs.python();
        let has_it = |python: &Path| {
            Command::new(python)
                .args(["-c", "import websockets.asyncio"])
                .output()
                .is_ok_and(|o| o.status.success())
        };
        if !has_it(&python) {
            println!("installing {WEBSOCKETS}");
            workspace::run(Command::new("python3").args(["-m", "venv"]).arg(directory.join("venv")))?;
            workspace::run(Command::new(&python).args(["-m", "pip", "install", "--quiet", WEBSOCKETS]))?;
        }
        Ok(needs)
    }

    pub(crate) fn node(&self, script: &str) -> Command {
        let mut command = bound("node");
        command.env("NODE_PATH", self.directory.join("node_modules")).arg(super::scripts().join(script));
        command
    }

    pub(crate) fn python_script(&self, script: &str) -> Command {
        let mut command = bound(&self.python().display().to_string());
        command.env("PYTHONDONTWRITEBYTECODE", "1").arg(super::scripts().join(script));
        command
    }

    fn python(&self) -> PathBuf {
        self.directory.join("venv/bin/python")
    }
}

/// Ended by the kernel when we end without having done it.
pub(crate) fn bound(program: &str) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--", program]);
    command
}

const WS: &str = "ws@8.18.3";
const WEBSOCKETS: &str = "websockets==15.0.1";
