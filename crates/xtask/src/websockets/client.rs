//! The clients.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::needs::{Needs, bound};
use crate::Outcome;

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

    /// Runs a suite against `path` and hands over each line of its results as it comes.
    pub(crate) fn run(
        self,
        needs: &Needs,
        address: SocketAddr,
        path: &str,
        suite: &str,
        mut each: impl FnMut(&str),
    ) -> Outcome {
        let base = format!("ws://{address}{path}");
        match self {
            Self::Node => script(needs.node("client.js").args([base.as_str(), suite]), each),
            Self::Python => script(needs.python_script("client.py").args([base.as_str(), suite]), each),
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

fn script(command: &mut Command, mut each: impl FnMut(&str)) -> Outcome {
    let name = format!("{command:?}");
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| format!("{name}: {error}"))?;
    let output = child.stdout.take().into_iter().flat_map(|output| BufReader::new(output).lines());
    output.map_while(Result::ok).for_each(|line| each(&line));
    let status = child.wait().map_err(|error| format!("{name}: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("{name}: {status}")) }
}

/// The page when it has loaded, which the results wait for.
fn dump(url: &str) -> Outcome<String> {
    let profile = TempDir::new().map_err(|error| error.to_string())?;
    let output = bound("chromium")
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--timeout=60000"])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .args(["--dump-dom", url])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .map_err(|error| format!("chromium: {error}"))?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
