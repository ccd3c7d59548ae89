//! The shop of `crates/e2e/apps` once more, small and fast, with its state in memory. A process of its own, so that it can
//! be killed: `trials little-shop`, which `--help` does not show.

use std::collections::HashMap;
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Mutex;

use balance::Rng;
use clap::Args;
use serde_json::{Value, json};
use xtask::Outcome;

use crate::exchange::{Head, Reader};
use crate::lock::lock;
use crate::seed::seed_or_clock;

#[derive(Args, Debug)]
pub(crate) struct Options {
    /// The port on 127.0.0.1
    port: u16,

    /// The server's name
    name: String,
}

struct Shop {
    name: String,
    sessions: Mutex<Sessions>,
}

struct Sessions {
    random: Rng,
    /// By the value of the cookie `sid`.
    open: HashMap<String, Session>,
}

#[derive(Clone, Default)]
struct Session {
    user: String,
    code: Option<String>,
    cart: Vec<String>,
}

/// An answer: status, JSON, and the id of a new session.
type Answer = (u16, Value, Option<String>);

/// Serves until the process is ended.
pub(crate) fn run(options: &Options) -> Outcome {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, options.port));
    let listener = TcpListener::bind(address).map_err(|error| format!("{address}: {error}"))?;
    let shop = Shop::new(&options.name, seed_or_clock(None));
    std::thread::scope(|scope| {
        for stream in listener.incoming().flatten() {
            let shop = &shop;
            scope.spawn(move || shop.serve(&stream));
        }
    });
    Ok(())
}

impl Shop {
    fn new(name: &str, seed: u64) -> Self {
        let sessions = Sessions { random: Rng::new(seed), open: HashMap::new() };
        Self { name: name.to_owned(), sessions: Mutex::new(sessions) }
    }

    /// Answers requests until the connection ends.
    fn serve(&self, mut stream: &TcpStream) {
        let _ = stream.set_nodelay(true);
        let mut reader = Reader::new(stream);
        while let Ok(head) = reader.head() {
            let Ok(body) = reader.body(&head) else { return };
            let mut words = head.start.split(' ');
            let request =
                format!("{} {}", words.next().unwrap_or_default(), words.next().unwrap_or_default());
            let (status, json, id) =
                self.answer(&request, session_id(&head), &String::from_utf8_lossy(&body));
            let cookie =
                id.map(|id| format!("Set-Cookie: sid={id}; Path=/; HttpOnly\r\n")).unwrap_or_default();
            let (name, json) = (&self.name, json.to_string());
            let text = format!(
                "HTTP/1.1 {status} Answer\r\nContent-Type: application/json\r\nX-App: {name}\r\n{cookie}Content-Length: {}\r\n\r\n{json}",
                json.len()
            );
            if stream.write_all(text.as_bytes()).is_err() {
                return;
            }
        }
    }

    fn answer(&self, request: &str, id: Option<&str>, body: &str) -> Answer {
        let mut sessions = lock(&self.sessions);
        let value = body.split_once('=').map_or("", |(_, value)| value).to_owned();
        match request {
            "GET /whoami" => return (200, json!({ "server": self.name }), None),
            "POST /login" => return sessions.login(id, value),
            _ => {}
        }
        let Sessions { random, open } = &mut *sessions;
        let Some(session) = id.and_then(|id| open.get_mut(id)) else {
            return (401, json!({ "error": "no session" }), None);
        };
        let (status, json) = session.answer(request, &value, || 1000 + random.below(9000));
        (status, json, None)
    }
}

impl Sessions {
    /// A new session replaces the one that the client had.
    fn login(&mut self, former: Option<&str>, user: String) -> Answer {
        former.map(|id| self.open.remove(id));
        let answer = json!({ "user": user });
        let id = format!("{:016x}{:016x}", self.random.below(u64::MAX), self.random.below(u64::MAX));
        self.open.insert(id.clone(), Session { user, ..Session::default() });
        (200, answer, Some(id))
    }
}

impl Session {
    fn answer(&mut self, request: &str, value: &str, digits: impl FnOnce() -> u64) -> (u16, Value) {
        match request {
            "GET /code" => {
                let code = self.code.insert(digits().to_string());
                (200, json!({ "code": code }))
            }
            "POST /code" if self.code.take().as_deref() == Some(value) => (200, json!({ "right": true })),
            "POST /code" => (403, json!({ "error": "wrong code" })),
            "POST /cart" => {
                self.cart.push(value.to_owned());
                (200, json!({ "count": self.cart.len() }))
            }
            "GET /cart" => (200, json!({ "user": self.user, "items": self.cart })),
            _ => (404, json!({ "error": "no such page" })),
        }
    }
}

/// The value of the cookie `sid`.
fn session_id(head: &Head) -> Option<&str> {
    let pairs = head.all("cookie").flat_map(|line| line.split(';'));
    pairs.filter_map(|pair| pair.trim().split_once('=')).find(|(name, _)| *name == "sid").map(|(_, id)| id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_lives_in_one_shop() {
        let (here, there) = (Shop::new("a", 1), Shop::new("b", 2));
        let (status, _, id) = here.answer("POST /login", None, "user=ann");
        let id = id.unwrap();
        let ask = |shop: &Shop, request: &str, body: &str| {
            let (status, json, _) = shop.answer(request, Some(&id), body);
            (status, json)
        };
        assert_eq!(status, 200);
        let (_, code) = ask(&here, "GET /code", "");
        let code = format!("code={}", code["code"].as_str().unwrap());
        assert_eq!(ask(&here, "POST /code", &code), (200, json!({ "right": true })));
        assert_eq!(ask(&here, "POST /code", &code).0, 403, "a code is good once");
        assert_eq!(ask(&here, "POST /cart", "item=tea"), (200, json!({ "count": 1 })));
        assert_eq!(ask(&here, "GET /cart", ""), (200, json!({ "user": "ann", "items": ["tea"] })));
        assert_eq!(ask(&there, "GET /cart", "").0, 401);
        assert_eq!(ask(&there, "GET /whoami", ""), (200, json!({ "server": "b" })));
    }

    #[test]
    fn the_cookie_is_found_among_others() {
        let head = Head::parse(b"GET / HTTP/1.1\r\nCookie: a=1; sid=xyz; b=2\r\n\r\n").unwrap();
        assert_eq!(session_id(&head), Some("xyz"));
        assert_eq!(session_id(&Head::parse(b"GET / HTTP/1.1\r\n\r\n").unwrap()), None);
    }
}
