//! Node.js and Python for the scripts.

use std::path::PathBuf;
use std::process::Command;

use xtask::{Outcome, packages, workspace};

use crate::script;
use crate::server::Server;

/// The interpreters, with the libraries that the scripts need.
pub(crate) struct Languages {
    /// The directory of npm's modules.
    modules: PathBuf,
    /// The interpreter of a virtual environment.
    python: PathBuf,
}

impl Languages {
    pub(crate) fn install() -> Outcome<Self> {
        let directory = workspace::target_directory()?.join("websockets");
        std::fs::create_dir_all(&directory).map_err(|error| format!("{}: {error}", directory.display()))?;
        let modules = packages::install_npm(&directory, packages::NPM_WS)?;
        let python = packages::PYPI_WEBSOCKETS.install(&directory)?;
        Ok(Self { modules, python })
    }

    pub(crate) fn node(&self, name: &str) -> Command {
        let mut command = Server::command("node");
        command.env("NODE_PATH", &self.modules).arg(script::path("websockets", name));
        command
    }

    pub(crate) fn python(&self, name: &str) -> Command {
        let mut command = Server::command(&self.python);
        command.env("PYTHONDONTWRITEBYTECODE", "1").arg(script::path("websockets", name));
        command
    }
}
