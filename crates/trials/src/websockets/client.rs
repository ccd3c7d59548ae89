//! The WebSocket clients.

use std::net::SocketAddr;
use std::process::{Command, Stdio};

use tempfile::TempDir;
use xtask::Outcome;

use super::languages::Languages;
use crate::script;
use crate::server::Server;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Client {
    Node,
    Python,
    Chromium,
}

impl Client {
    pub(crate) const ALL: [Self; 3] = [Self::Node, Self::Python, Self::Chromium];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Node => "node",
            Self::Python => "python",
            Self::Chromium => "chromium",
        }
    }

    /// Runs a suite against `path` and passes on each line of its results as it comes.
    pub(crate) fn run(
        self,
        languages: &Languages,
        address: SocketAddr,
        path: &str,
        suite: &str,
        mut each: impl FnMut(&str),
    ) -> Outcome {
        let base = format!("ws://{address}{path}");
        match self {
            Self::Node => lines(languages.node("client.js").args([base.as_str(), suite]), each),
            Self::Python => lines(languages.python("client.py").args([base.as_str(), suite]), each),
            Self::Chromium => {
                let token = path.replace('/', "-");
                let url =
                    format!("http://{address}/node/page?base={path}&suite={suite}&token={token}-{suite}");
                let page = dump(&url)?;
                let results =
                    page.split_once("<pre id=\"results\">").and_then(|(_, rest)| rest.split_once("</pre>"));
                let (results, _) = results.ok_or_else(|| format!("no results in {page:?}"))?;
                results.lines().for_each(&mut each);
                if results.is_empty() { Err("no results".into()) } else { Ok(()) }
            }
        }
    }
}

/// Runs a script. Its exit code is a failure if a case failed.
fn lines(command: &mut Command, each: impl FnMut(&str)) -> Outcome {
    let status = script::lines(command, each)?;
    if status.success() { Ok(()) } else { Err(format!("{command:?}: {status}")) }
}

/// The page after it has loaded, which it does when its results are there.
fn dump(url: &str) -> Outcome<String> {
    let profile = TempDir::new().map_err(|error| error.to_string())?;
    let output = Server::command("chromium")
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--timeout=60000"])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .args(["--dump-dom", url])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .map_err(|error| format!("chromium: {error}"))?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
