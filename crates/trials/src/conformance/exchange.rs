//! Sends the cases to an Evenkeel, and keeps the responses and what its access log says.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use testkit::{Balancer, Config, wait_until};

use super::case::Case;
use crate::exchange::connect;

/// All cases with one server.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) exchanges: Vec<Exchange>,
}

/// One case.
#[derive(Debug, Default)]
pub(crate) struct Exchange {
    pub(crate) name: String,
    /// The lines of Evenkeel's log for this connection, in their order.
    pub(crate) told: Vec<Told>,
    /// The ids in the responses, in their order. Each server sends back the id of the request.
    pub(crate) answered: Vec<String>,
}

/// One request, as Evenkeel understood it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) id: String,
    pub(crate) method: String,
    /// The target in the form in which it was forwarded.
    pub(crate) target: String,
    pub(crate) body_bytes: u64,
    pub(crate) status: u64,
    pub(crate) reason: String,
    pub(crate) attempts: u64,
}

impl Run {
    pub(crate) fn of(cases: &[Case], target: SocketAddr, binary: &Path) -> Self {
        let config = Config::to_addresses(&[target]).listener("limits = { body = \"64KiB\" }");
        // With `ignore`, the half-close after each case ends only incomplete requests.
        let config = config.listener("client_abort = \"ignore\"").listener("http2 = \"off\"");
        let balancer = Balancer::prepare(config).binary(binary.to_path_buf()).start();
        let web = balancer.web();
        let mut exchanges = Vec::new();
        let mut places = HashMap::new();
        for case in cases {
            if let Some((port, answer)) = exchange(web, &case.sent) {
                places.insert(port, exchanges.len());
                let answered = ids(&answer);
                exchanges.push(Exchange { name: case.name.clone(), told: Vec::new(), answered });
            }
        }
        // Log lines are written after the responses.
        wait_until("nothing is in flight", || balancer.targets()[0]["in_flight"] == 0);
        balancer.signal(testkit::Signal::TERM);
        let mut balancer = balancer;
        balancer.wait_exit();
        for line in balancer.log_lines() {
            let port = line["peer"].as_str().and_then(|peer| peer.rsplit(':').next()?.parse().ok());
            if let Some(place) = port.and_then(|port: u16| places.get(&port)) {
                exchanges[*place].told.push(Told::of(&line));
            }
        }
        Self { exchanges }
    }

    /// The number of requests that were forwarded completely.
    pub(crate) fn forwarded(&self) -> usize {
        self.told().filter(|told| told.attempts > 0 && told.reason.is_empty()).count()
    }

    pub(crate) fn told(&self) -> impl Iterator<Item = &Told> {
        self.exchanges.iter().flat_map(|exchange| &exchange.told)
    }
}

impl Told {
    fn of(line: &Value) -> Self {
        let text = |key: &str| line[key].as_str().unwrap_or_default().to_owned();
        let number = |key: &str| line[key].as_u64().unwrap_or_default();
        let method = text("method");
        Self {
            id: text("request_id"),
            target: origin_form(&method, &text("request_target")),
            method,
            body_bytes: number("request_body_bytes"),
            status: number("status"),
            reason: text("reason"),
            attempts: number("attempts"),
        }
    }
}

/// An absolute target in the form in which it is forwarded (RFC 9112 §3.2.1).
fn origin_form(method: &str, target: &str) -> String {
    let Some((_, rest)) = target.split_once("://").filter(|_| !target.starts_with('/')) else {
        return target.to_owned();
    };
    match rest.find(['/', '?']) {
        None if method == "OPTIONS" => "*".to_owned(),
        None => "/".to_owned(),
        Some(at) if rest[at..].starts_with('/') => rest[at..].to_owned(),
        Some(at) => format!("/{}", &rest[at..]),
    }
}

/// Sends the case and the marker, and reads to the end. The client's port identifies the connection.
///
/// The bytes are not read as messages: after a malformed request the framing of what follows is unknown.
fn exchange(web: SocketAddr, sent: &[u8]) -> Option<(u16, Vec<u8>)> {
    let mut stream = connect(web, PATIENCE).ok()?;
    let port = stream.local_addr().ok()?.port();
    // After a refusal Evenkeel may close without reading on.
    let _ = stream.write_all(&[sent, MARKER].concat());
    let _ = stream.shutdown(Shutdown::Write);
    let mut answer = Vec::new();
    let _ = stream.take(ANSWER_BYTES_MAX).read_to_end(&mut answer);
    Some((port, answer))
}

fn ids(answer: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(answer);
    let lines = text.lines().filter_map(|line| line.split_once(": "));
    lines
        .filter(|(name, _)| name.eq_ignore_ascii_case("x-seen"))
        .map(|(_, id)| id.trim().to_owned())
        .collect()
}

const MARKER: &[u8] = b"GET /marker HTTP/1.1\r\nHost: a\r\n\r\n";
const PATIENCE: Duration = Duration::from_secs(3);
const ANSWER_BYTES_MAX: u64 = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_absolute_target_is_forwarded_in_origin_form() {
        for (method, target, expected) in [
            ("GET", "/x?y", "/x?y"),
            ("GET", "/http://a/", "/http://a/"),
            ("GET", "http://a/x", "/x"),
            ("GET", "http://a", "/"),
            ("GET", "http://a?y", "/?y"),
            ("OPTIONS", "http://a", "*"),
            ("OPTIONS", "*", "*"),
        ] {
            assert_eq!(origin_form(method, target), expected, "{method} {target}");
        }
    }

    #[test]
    fn responses_name_their_requests() {
        assert_eq!(
            ids(b"HTTP/1.1 200 OK\r\nX-Seen: a\r\n\r\nseen\nHTTP/1.1 200 OK\r\nx-seen: b\r\n\r\n"),
            ["a", "b"]
        );
    }
}
