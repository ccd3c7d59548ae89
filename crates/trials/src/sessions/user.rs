//! One user of a shop: logs in, answers the code, fills a cart, and knows what each answer has to say.

use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::RwLock;
use std::time::{Duration, Instant};

use rustix::net::{AddressFamily, SocketType, bind, connect, socket};
use serde_json::{Value, json};

use super::tally::{Loss, Step, Tally};
use crate::exchange::{Head, Reader};

#[derive(Debug)]
pub(crate) struct User {
    name: String,
    /// Where its connections come from.
    source: Ipv4Addr,
    cookies: Vec<(String, String)>,
    stage: Stage,
    items: Vec<String>,
    /// The code that the shop gave.
    code: String,
    /// The last item may have been added or not: its answer did not come.
    is_uncertain: bool,
    has_listed: bool,
    /// The server that answered last.
    home: Option<String>,
    /// Which load balancer comes next.
    turn: usize,
    /// Failures since the last good answer.
    failures: u32,
    losses: u32,
    pub(crate) tally: Tally,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    LoggedOut,
    LoggedIn,
    HasCode,
    Shopping,
}

/// How the steps of a user go over connections.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Manner<'m> {
    /// The load balancers, which take turns with each connection.
    pub(crate) fronts: &'m [SocketAddr],
    /// Requests on a connection.
    pub(crate) visit: usize,
    /// Items that a full cart has.
    pub(crate) goal: usize,
    /// Held for reading while a request is in flight, so that an event can happen while none is.
    pub(crate) gate: &'m RwLock<()>,
}

/// What came of a request.
enum Answer {
    Good,
    /// The session is not what it has to be.
    Lost,
    /// A status of 500 or more.
    Failed,
    /// The connection ended first.
    Broken,
}

impl User {
    /// The user of this number, below 200, whose address is its own.
    pub(crate) fn new(number: usize) -> Self {
        Self {
            name: format!("user{number}"),
            source: Ipv4Addr::new(127, 0, 1, u8::try_from(number + 1).unwrap_or(u8::MAX)),
            cookies: Vec::new(),
            stage: Stage::LoggedOut,
            items: Vec::new(),
            code: String::new(),
            is_uncertain: false,
            has_listed: false,
            home: None,
            turn: number,
            failures: 0,
            losses: 0,
            tally: Tally::default(),
        }
    }

    /// The server that answered last.
    pub(crate) fn home(&self) -> Option<&str> {
        self.home.as_deref()
    }

    /// What comes next, or `None` if the cart is full and was seen to be.
    pub(crate) fn next(&self, goal: usize) -> Option<Step> {
        match self.stage {
            _ if self.losses > LOSSES_MAX || self.failures > FAILURES_MAX => None,
            Stage::LoggedOut => Some(Step::Login),
            Stage::LoggedIn => Some(Step::Code),
            Stage::HasCode => Some(Step::Answer),
            Stage::Shopping if self.is_uncertain => Some(Step::List),
            Stage::Shopping if self.items.len() < goal => Some(Step::Add),
            Stage::Shopping => (!self.has_listed).then_some(Step::List),
        }
    }

    /// Returns true if it has given up.
    pub(crate) fn has_given_up(&self) -> bool {
        self.losses > LOSSES_MAX || self.failures > FAILURES_MAX
    }

    /// Opens a connection and makes requests on it. Returns false if there is nothing left to do.
    pub(crate) fn visit(&mut self, manner: Manner<'_>) -> bool {
        let front = manner.fronts[self.turn % manner.fronts.len()];
        self.turn += 1;
        let Ok(stream) = connect_from(self.source, front) else {
            self.note_failure();
            self.tally.broken += 1;
            // The next load balancer, soon.
            std::thread::sleep(RETRY_PAUSE);
            return self.next(manner.goal).is_some();
        };
        let mut reader = Reader::new(&stream);
        for _ in 0..manner.visit {
            let Some(step) = self.next(manner.goal) else { return false };
            let in_flight = manner.gate.read();
            let began = Instant::now();
            let answer = self.ask(&stream, &mut reader, step);
            self.tally.slowest = self.tally.slowest.max(began.elapsed());
            drop(in_flight);
            if matches!(answer, Answer::Broken) {
                break;
            }
        }
        self.next(manner.goal).is_some()
    }

    fn ask(&mut self, stream: &TcpStream, reader: &mut Reader<'_>, step: Step) -> Answer {
        self.tally.requests += 1;
        let answer = match self.exchange(stream, reader, step) {
            Ok((head, body)) => self.take(step, &head, &body),
            Err(_) => {
                self.tally.broken += 1;
                Answer::Broken
            }
        };
        match answer {
            Answer::Good => self.failures = 0,
            Answer::Lost => self.note_loss(step),
            Answer::Failed | Answer::Broken => {
                self.note_failure();
                self.is_uncertain |= step == Step::Add;
                // The code may be used up.
                if step == Step::Answer {
                    self.stage = Stage::LoggedIn;
                }
            }
        }
        answer
    }

    fn exchange(
        &self,
        mut stream: &TcpStream,
        reader: &mut Reader<'_>,
        step: Step,
    ) -> io::Result<(Head, Vec<u8>)> {
        stream.write_all(self.request(step).as_bytes())?;
        let head = reader.head()?;
        let body = reader.body(&head)?;
        Ok((head, body))
    }

    fn request(&self, step: Step) -> String {
        let (line, body) = match step {
            Step::Login => ("POST /login", format!("user={}", self.name)),
            Step::Code => ("GET /code", String::new()),
            Step::Answer => ("POST /code", format!("code={}", self.code)),
            Step::Add => ("POST /cart", format!("item={}", self.next_item())),
            Step::List => ("GET /cart", String::new()),
        };
        let mut head = format!("{line} HTTP/1.1\r\nHost: shop.example\r\n");
        if !self.cookies.is_empty() {
            let pairs: Vec<_> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
            head += &format!("Cookie: {}\r\n", pairs.join("; "));
        }
        if line.starts_with("POST") {
            head += &format!(
                "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n",
                body.len()
            );
        }
        format!("{head}\r\n{body}")
    }

    fn next_item(&self) -> String {
        format!("{}-item{}", self.name, self.items.len())
    }

    fn take(&mut self, step: Step, head: &Head, body: &[u8]) -> Answer {
        let server = head.field("x-app").map(str::to_owned);
        let status = head.status();
        self.keep_cookies(head);
        if status >= 500 {
            let by = if server.is_some() {
                &mut self.tally.failed_by_app
            } else {
                &mut self.tally.failed_by_front
            };
            *by += 1;
            return Answer::Failed;
        }
        // A loss is the former server's.
        let is_good = status == 200 && self.judge(step, body);
        if !is_good {
            return Answer::Lost;
        }
        if self.home.is_some() && self.home != server {
            self.tally.moves += 1;
        }
        self.home = server;
        Answer::Good
    }

    /// Returns true if the answer is what this session has to get.
    fn judge(&mut self, step: Step, body: &[u8]) -> bool {
        let value: Value = serde_json::from_slice(body).unwrap_or_default();
        match step {
            Step::Login => {
                self.stage = Stage::LoggedIn;
                self.items.clear();
                value["user"] == *self.name
            }
            Step::Code => {
                let code = value["code"].as_str().map(str::to_owned);
                self.stage = Stage::HasCode;
                self.code = code.unwrap_or_default();
                !self.code.is_empty()
            }
            Step::Answer => {
                self.stage = Stage::Shopping;
                value["right"] == true
            }
            Step::Add => {
                let item = self.next_item();
                self.items.push(item);
                self.has_listed = false;
                value["count"] == self.items.len()
            }
            Step::List => {
                let listed = |items: &[String]| value["items"] == json!(items) && value["user"] == *self.name;
                if self.is_uncertain && !listed(&self.items) {
                    let item = self.next_item();
                    self.items.push(item);
                }
                self.is_uncertain = false;
                self.has_listed = true;
                value["items"] == json!(self.items) && value["user"] == *self.name
            }
        }
    }

    fn note_loss(&mut self, step: Step) {
        self.losses += 1;
        let loss = Loss { user: self.name.clone(), home: self.home.take(), step };
        self.tally.losses.push(loss);
        self.stage = Stage::LoggedOut;
        self.items.clear();
        self.has_listed = false;
        self.is_uncertain = false;
    }

    fn note_failure(&mut self) {
        self.failures += 1;
    }

    /// Keeps what `Set-Cookie` says, as a browser does for one host and one path.
    fn keep_cookies(&mut self, head: &Head) {
        for line in head.all("set-cookie") {
            let pair = line.split(';').next().unwrap_or_default();
            let Some((name, value)) = pair.split_once('=') else { continue };
            self.cookies.retain(|(kept, _)| kept != name);
            self.cookies.push((name.trim().to_owned(), value.trim().to_owned()));
        }
    }
}

/// Connects from a loopback address of our choice.
pub(crate) fn connect_from(source: Ipv4Addr, address: SocketAddr) -> io::Result<TcpStream> {
    let raw = socket(AddressFamily::INET, SocketType::STREAM, None)?;
    bind(&raw, &SocketAddr::from((source, 0)))?;
    connect(&raw, &address)?;
    let stream = TcpStream::from(raw);
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// How long an answer may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);
const RETRY_PAUSE: Duration = Duration::from_millis(5);
/// A user gives up after this many lost sessions,
const LOSSES_MAX: u32 = 3;
/// or after this many failures in a row.
const FAILURES_MAX: u32 = 10;

#[cfg(test)]
mod tests {
    use super::*;

    fn head(text: &str) -> Head {
        Head::parse(format!("HTTP/1.1 {text}\r\n\r\n").as_bytes()).unwrap()
    }

    fn shopper(items: usize) -> User {
        let mut user = User::new(7);
        let answer = head("200 OK\r\nX-App: a\r\nSet-Cookie: sid=one; Path=/\r\nSet-Cookie: route=two");
        assert!(matches!(user.take(Step::Login, &answer, br#"{"user":"user7"}"#), Answer::Good));
        assert!(matches!(user.take(Step::Code, &answer, br#"{"code":"1234"}"#), Answer::Good));
        assert!(matches!(user.take(Step::Answer, &answer, br#"{"right":true}"#), Answer::Good));
        for count in 1..=items {
            let body = format!("{{\"count\":{count}}}");
            assert!(matches!(user.take(Step::Add, &answer, body.as_bytes()), Answer::Good));
        }
        user
    }

    #[test]
    fn steps_follow_and_cookies_are_sent_back() {
        let user = shopper(2);
        assert_eq!(user.next(3), Some(Step::Add));
        assert_eq!(user.next(2), Some(Step::List));
        let request = user.request(Step::Add);
        assert!(request.contains("\r\nCookie: sid=one; route=two\r\n"), "{request}");
        assert!(request.ends_with("\r\n\r\nitem=user7-item2"), "{request}");
    }

    #[test]
    fn another_count_another_cart_and_a_status_are_losses() {
        let answer = head("200 OK\r\nX-App: b");
        assert!(matches!(shopper(2).take(Step::Add, &answer, br#"{"count":1}"#), Answer::Lost));
        let other = br#"{"user":"user8","items":["user7-item0"]}"#;
        assert!(matches!(shopper(1).take(Step::List, &answer, other), Answer::Lost));
        assert!(matches!(shopper(1).take(Step::List, &head("401 No\r\nX-App: b"), b"{}"), Answer::Lost));
        let mut user = shopper(1);
        user.note_loss(Step::List);
        assert_eq!(user.next(3), Some(Step::Login));
        assert_eq!(user.tally.losses[0].home.as_deref(), Some("a"));
    }

    #[test]
    fn an_item_without_an_answer_is_there_or_not() {
        let answer = head("200 OK\r\nX-App: a");
        for listed in ["\"user7-item0\"", "\"user7-item0\",\"user7-item1\""] {
            let mut user = shopper(1);
            user.is_uncertain = true;
            let body = format!("{{\"user\":\"user7\",\"items\":[{listed}]}}");
            assert!(matches!(user.take(Step::List, &answer, body.as_bytes()), Answer::Good), "{listed}");
            assert_eq!(user.items.len(), listed.split(',').count());
        }
    }

    #[test]
    fn who_made_a_5xx_is_told_apart() {
        let mut user = shopper(0);
        assert!(matches!(user.take(Step::List, &head("502 Bad Gateway"), b""), Answer::Failed));
        assert!(matches!(user.take(Step::List, &head("500 Oh\r\nX-App: a"), b""), Answer::Failed));
        assert_eq!((user.tally.failed_by_front, user.tally.failed_by_app), (1, 1));
    }
}
