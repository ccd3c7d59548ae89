//! Every request of `docs/http-conformance.md` is refused or forwarded as its row says, sent whole and byte by
//! byte, and is read as one request (HTTP3, HTTP4).

use std::collections::HashSet;

use testkit::policy::{self, Row};
use testkit::{Balancer, Client, Config, Message, Target, ok};

const NEXT: &[u8] = b"GET /next HTTP/1.1\r\nHost: a\r\n\r\n";

#[test]
fn requests_meet_the_policy() {
    let page = policy::page();
    let rows = policy::rows(&page, "Requests");
    assert!(rows.len() >= 150, "{}", rows.len());
    let ids: HashSet<_> = rows.iter().map(|row| &row.id).collect();
    assert_eq!(ids.len(), rows.len(), "each row has its own id");
    let target = Target::http(|request| match request.method() {
        "HEAD" => b"HTTP/1.1 200 OK\r\n\r\n".to_vec(),
        _ => ok("served"),
    });
    // The client half-closes after its request and waits for the responses.
    let config = Config::to(&target).listener("client_abort = \"ignore\"");
    // The HTTP/2 preface is one of the rows.
    let config = config.listener("http2 = \"off\"");
    let balancer = Balancer::start(config.listener("limits = { body = \"64KiB\" }"));
    let differing: Vec<_> = rows.iter().filter_map(|row| meet(row, &balancer, &target).err()).collect();
    assert!(differing.is_empty(), "{}", differing.join("\n"));
}

fn meet(row: &Row, balancer: &Balancer, target: &Target) -> Result<(), String> {
    let sent = [&row.sent, NEXT].concat();
    let whole = seen(&sent, sent.len(), balancer, target);
    whole.meet(row).map_err(|error| format!("{}: {error}\n{}", row.id, whole.text()))?;
    if sent.len() < 500 {
        let pieces = seen(&sent, 1, balancer, target);
        pieces.meet(row).map_err(|error| format!("{} in pieces: {error}\n{}", row.id, pieces.text()))?;
    }
    Ok(())
}

/// The result of sending some bytes.
struct Seen {
    /// Status, reason word, and whether the response has `Connection: close`.
    responses: Vec<(u16, String, bool)>,
    /// The complete requests that the target received.
    forwarded: Vec<Message>,
}

fn seen(sent: &[u8], piece: usize, balancer: &Balancer, target: &Target) -> Seen {
    let before = whole_requests(target).len();
    let mut client = Client::connect(balancer.web());
    for piece in sent.chunks(piece) {
        if client.try_send(piece).is_err() {
            break;
        }
    }
    client.half_close();
    let mut responses = Vec::new();
    while let Ok(response) = client.try_response() {
        let closes = response.field("connection") == Some("close");
        responses.push((response.status(), response.reason(), closes));
    }
    assert!(client.is_closed());
    Seen { responses, forwarded: whole_requests(target).split_off(before) }
}

fn whole_requests(target: &Target) -> Vec<Message> {
    target.requests().into_iter().filter(|request| request.is_complete).collect()
}

impl Seen {
    fn text(&self) -> String {
        let heads = self.forwarded.iter().map(|request| request.raw_head.escape_ascii().to_string());
        format!("{:?}\n{}", self.responses, heads.collect::<Vec<_>>().join("\n"))
    }

    fn meet(&self, row: &Row) -> Result<(), String> {
        let (outcome, then) = row.outcome.split_once("; then ").unwrap_or((&row.outcome, ""));
        let refusal = if outcome.starts_with('`') { outcome } else { then };
        let is_forwarded = outcome.starts_with("forwarded");
        let goes_on = refusal.is_empty() && !outcome.ends_with("closes") || outcome.ends_with("stays open");
        let mut expected = Vec::new();
        if is_forwarded {
            expected.push((200, String::new(), !goes_on && refusal.is_empty()));
        }
        if let Some((_, claim)) = policy::claims(refusal).first() {
            let (status, reason) = claim.split_once(' ').ok_or("no status and reason")?;
            let status = status.parse().map_err(|error| format!("{status}: {error}"))?;
            expected.push((status, reason.to_owned(), !goes_on));
        }
        if goes_on {
            expected.push((200, String::new(), false));
        }
        if self.responses != expected {
            return Err(format!("responses are not {expected:?}"));
        }
        let targets: Vec<_> = self.forwarded.iter().map(Message::target).collect();
        if targets.len() != usize::from(is_forwarded) + usize::from(goes_on)
            || (goes_on && targets.last() != Some(&"/next"))
        {
            return Err(format!("the target had {targets:?}"));
        }
        if is_forwarded { self.forwarded[0].meet(outcome) } else { Ok(()) }
    }
}

/// Compares a message with the claims of an outcome.
pub(crate) trait Meet {
    fn meet(&self, outcome: &str) -> Result<(), String>;
}

impl Meet for Message {
    fn meet(&self, outcome: &str) -> Result<(), String> {
        let head = String::from_utf8_lossy(&self.raw_head).into_owned();
        for (is_absent, claim) in policy::claims(outcome) {
            let is_there = match is_absent {
                true => self.field(&claim).is_some(),
                false => head.split("\r\n").any(|line| line == claim),
            };
            if is_there == is_absent {
                return Err(format!("{claim:?} is there: {is_there}"));
            }
        }
        let body = outcome.split("; ").find_map(|part| part.strip_prefix("body ")).unwrap_or("0");
        if self.body.len().to_string() != body {
            return Err(format!("the body has {} bytes", self.body.len()));
        }
        Ok(())
    }
}
