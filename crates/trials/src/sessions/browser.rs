//! Chromium keeps its session while its target is drained, and starts anew once when that is killed.

use std::io::Write;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use bench::Process;
use rustix::process::Signal;
use serde_json::Value;
use tempfile::TempDir;
use xtask::{Outcome, packages};

use super::app::{App, Handler};
use super::front::{Plan, Program};
use super::mechanism::Mechanism;
use super::site::Site;
use super::stage::Stage;
use crate::exchange::Reader;
use crate::script;
use crate::server::Server;

pub(crate) fn run(stage: &Stage) {
    for app in &stage.apps {
        // Of a session that it learned, HAProxy forgets where it went when its target died.
        let mechanisms: &[_] = match stage.program {
            Program::Evenkeel(_) => &[Mechanism::Insert, Mechanism::Learn],
            Program::Haproxy => &[Mechanism::Insert],
        };
        for &mechanism in mechanisms {
            stage.case(&format!("chromium, {}", app.name()), mechanism.name(), || {
                packages::ensure(packages::FOR_BROWSER)?;
                browse(stage, *app, mechanism)
            });
        }
    }
}

fn browse(stage: &Stage, app: App, mechanism: Mechanism) -> Outcome<String> {
    let (page, told) = serve_page()?;
    let mut site = Site::start_with(stage, app, &Handler::Local, 1, |targets| {
        let mut plan = Plan::new(mechanism, targets);
        plan.trial = Some(page);
        plan
    })?;
    let profile = TempDir::new().map_err(|error| error.to_string())?;
    let _chromium = start_chromium(&site, &profile)?;
    let filled = told.next("filled")?;
    let home = filled["server"].as_str().unwrap_or_default().to_owned();
    let place = site.shops.iter().position(|shop| shop.name() == home).ok_or("a server without a name")?;
    if let Program::Evenkeel(_) = stage.program {
        site.plan.drained.push(place);
        site.fronts[0].reload(&site.plan, &stage.keys)?;
    }
    told.go_on()?;
    let drained = told.next("again")?;
    let is_kept = ["changes", "losses", "failures"].iter().all(|key| drained[*key] == 0);
    if !is_kept {
        return Err(format!("the drain was noticed: {filled}, then {drained}"));
    }
    site.shops[place].kill()?;
    told.go_on()?;
    let done = told.next("done")?;
    told.go_on()?;
    // The session dies with its target; that is one loss.
    if done["changes"] == 1 && done["losses"] == 1 && done["failures"] == 0 {
        return Ok(format!("home {home}, drained and killed; {done}"));
    }
    Err(format!("home {home}; {done}"))
}

fn start_chromium(site: &Site, profile: &TempDir) -> Outcome<Process> {
    let mut command = Server::command("chromium");
    command
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--remote-debugging-port=0"])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .arg(format!("http://{}/trial/page", site.fronts[0].address))
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null());
    Process::start_until(Signal::TERM, command)
}

/// What the page tells. It waits for [`Told::go_on`] each time.
#[derive(Debug)]
struct Told {
    words: Receiver<Value>,
    answers: SyncSender<()>,
}

impl Told {
    fn next(&self, word: &str) -> Outcome<Value> {
        let told =
            self.words.recv_timeout(PATIENCE).map_err(|_| format!("the page did not come to {word:?}"))?;
        if told["word"] == word { Ok(told) } else { Err(format!("instead of {word:?} the page told {told}")) }
    }

    fn go_on(&self) -> Outcome {
        self.answers.send(()).map_err(|error| error.to_string())
    }
}

/// Serves the page and takes what it tells. The thread lives as long as this process.
fn serve_page() -> Outcome<(SocketAddr, Told)> {
    let failed = |error: std::io::Error| format!("the page: {error}");
    let listener = TcpListener::bind("127.0.0.1:0").map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    let page = std::fs::read_to_string(script::path("sessions", "page.html")).map_err(failed)?;
    let (words_in, words) = sync_channel(1);
    let (answers, answers_out) = sync_channel(1);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // Health checks say nothing. The page asks one thing after the other.
            let _ = converse(&stream, &page, &words_in, &answers_out);
        }
    });
    Ok((address, Told { words, answers }))
}

/// Answers one request. `None` if there was none.
fn converse(
    mut stream: &TcpStream,
    page: &str,
    words: &SyncSender<Value>,
    answers: &Receiver<()>,
) -> Option<()> {
    stream.set_read_timeout(Some(REQUEST_TIMEOUT)).ok()?;
    let mut reader = Reader::new(stream);
    let head = reader.head().ok()?;
    let body = reader.body(&head).ok()?;
    let text = if head.start.starts_with("POST") {
        words.send(serde_json::from_slice(&body).unwrap_or_default()).ok()?;
        answers.recv_timeout(PATIENCE).ok()?;
        "{}"
    } else if head.start.contains("/trial/page") {
        page
    } else {
        ""
    };
    let length = text.len();
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nConnection: close\r\n";
    write!(stream, "{head}Content-Length: {length}\r\n\r\n{text}").ok()
}

const PATIENCE: Duration = Duration::from_secs(60);
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_waits_for_its_answer() {
        let (address, told) = serve_page().unwrap();
        let asking = std::thread::spawn(move || {
            let stream = TcpStream::connect(address).unwrap();
            let body = r#"{"word":"filled","server":"a"}"#;
            let head = format!("POST /trial/tell HTTP/1.1\r\nContent-Length: {}\r\n\r\n", body.len());
            (&stream).write_all(format!("{head}{body}").as_bytes()).unwrap();
            Reader::new(&stream).head().unwrap().status()
        });
        assert_eq!(told.next("filled").unwrap()["server"], "a");
        assert!(!asking.is_finished());
        told.go_on().unwrap();
        assert_eq!(asking.join().unwrap(), 200);
    }
}
