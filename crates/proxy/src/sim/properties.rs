//! What must hold when a seed is over, whatever happened in it.
//!
//! 1. One request in is one request out: `targets`.
//! 2. A client gets responses in order, each to its own request, whole or visibly broken: `clients`.
//! 3. Every exchange ends in exactly one access record: `records`.
//! 4. Nothing leaks: `leaks`.
//! 5. No response is cut while a client that keeps to HTTP reads it: `clients`.

use std::collections::HashMap;

use net::sim::{End, Report};

use super::client::Client;
use super::exchange::{After, Exchange, Fault};
use super::message::{Message, read_request, read_response};
use super::plan::Plan;
use super::world::Outcome;

pub(super) fn check(plan: &Plan, outcome: &Outcome) {
    leaks(outcome);
    let seen = targets(plan, outcome);
    let answered = clients(plan, outcome);
    records(outcome, &seen, &answered);
}

/// How often targets saw each request.
type Seen = HashMap<String, usize>;
/// Requests and the statuses that their clients got.
type Answered = Vec<(String, u16)>;

fn targets(plan: &Plan, outcome: &Outcome) -> Seen {
    let mut seen: HashMap<String, Vec<usize>> = HashMap::new();
    for target in &outcome.targets {
        let (report, mut read) = (target.report(), 0);
        for place in 0.. {
            let Some(request) = read_request(&report.received[read..]) else { break };
            let marker = is_as_sent(plan, &request);
            seen.entry(marker).or_default().push(place);
            read += request.len;
            if !request.is_whole || plan.exchange(request.method_and_target().1).is_websocket {
                break;
            }
        }
    }
    for (marker, places) in &seen {
        let exchange = plan.exchange(marker);
        let again = places.len() - 1;
        let on_new = places.iter().filter(|&&place| place == 0).count();
        assert!(again == 0 || exchange.is_idempotent(), "one: {marker} was sent {} times", again + 1);
        assert!(again < 3 && (again == 0 || on_new <= 1), "one: {marker} was repeated, on {places:?}");
    }
    seen.into_iter().map(|(marker, places)| (marker, places.len())).collect()
}

/// A target sees nothing but what a client has sent. Returns the marker.
fn is_as_sent(plan: &Plan, request: &Message) -> String {
    let (method, target) = request.method_and_target();
    let exchange = plan.exchange(target);
    assert_eq!(method, exchange.method, "one: the method of {target}");
    assert_eq!(request.field("x-token"), Some(exchange.token()), "one: the head of {target}");
    assert!(exchange.body.starts_with(&request.body), "one: a target saw another body for {target}");
    assert!(!request.is_whole || request.body == exchange.body, "one: {target} came as whole, and is not");
    target.to_owned()
}

fn clients(plan: &Plan, outcome: &Outcome) -> Answered {
    let mut answered = Vec::new();
    for (client, peer) in plan.clients.iter().zip(&outcome.clients) {
        let Some(peer) = peer else { continue };
        let report = peer.report();
        let heard = hear(client, &report, &mut answered);
        if client.is_good() {
            is_served(plan, outcome, client, &report, &heard);
        }
    }
    answered
}

/// What a client got in answer to its requests.
struct Heard {
    /// Final responses that are whole.
    whole: usize,
    /// Of the last of them, or of the one that is not.
    says_close: bool,
    /// Something of one more response came.
    is_cut: bool,
    made_by_proxy: Vec<(usize, u16)>,
}

fn hear(client: &Client, report: &Report, answered: &mut Answered) -> Heard {
    let mut heard = Heard { whole: 0, says_close: false, is_cut: false, made_by_proxy: Vec::new() };
    let mut read = 0;
    while let Some(exchange) = client.exchanges.get(heard.whole) {
        let Some(response) = read_response(&report.received[read..], exchange.method) else { break };
        answers(exchange, &response);
        read += response.len;
        if (100..200).contains(&response.status()) && response.status() != 101 {
            continue;
        }
        answered.push((exchange.marker.clone(), response.status()));
        heard.says_close = response.says_close();
        if !is_whole(exchange, &response, report) {
            heard.is_cut = true;
            return heard;
        }
        if response.field("x-marker").is_none() {
            heard.made_by_proxy.push((heard.whole, response.status()));
        }
        heard.whole += 1;
        if response.status() == 101 {
            let through = &report.received[read..];
            assert!(exchange.answer.body.starts_with(through), "two: another tunnel's bytes");
            heard.is_cut = through.len() < exchange.answer.body.len();
            return heard;
        }
    }
    heard.is_cut = read < report.received.len();
    assert!(
        !heard.is_cut || heard.whole < client.exchanges.len(),
        "two: bytes that answer no request: {:?}",
        String::from_utf8_lossy(&report.received[read..])
    );
    heard
}

/// Whether the response is whole. One that is not must be seen to be broken.
fn is_whole(exchange: &Exchange, response: &Message, report: &Report) -> bool {
    if !response.is_until_close() {
        return response.is_whole;
    }
    let is_whole = response.field("x-marker").is_none() || response.body == exchange.response_body();
    assert!(
        is_whole || report.end != Some(End::Finished),
        "two: a part of the response to {} looks like the whole",
        exchange.marker
    );
    is_whole && report.end == Some(End::Finished)
}

/// A response belongs to its request, as far as it has come.
fn answers(exchange: &Exchange, response: &Message) {
    let (marker, status) = (&exchange.marker, response.status());
    let Some(of) = response.field("x-marker") else {
        let is_ours = matches!(status, 100 | 400 | 408 | 502 | 503 | 504);
        return assert!(is_ours, "two: {marker} is answered with {status} by nobody");
    };
    assert_eq!(of, marker, "two: the response to another request");
    if status == 103 {
        return;
    }
    assert_eq!(status, exchange.answer.status, "two: the status of {marker}");
    let body = exchange.response_body();
    assert!(body.starts_with(&response.body), "two: the body of {marker}");
    assert!(!response.is_whole || body == response.body, "two: {marker} came as whole, and is not");
}

/// A client that keeps to HTTP gets all that it can expect.
fn is_served(plan: &Plan, outcome: &Outcome, client: &Client, report: &Report, heard: &Heard) {
    for &(place, status) in &heard.made_by_proxy {
        let exchange = &client.exchanges[place];
        assert!(may_fail(plan, exchange), "five: {} is answered with {status}", exchange.marker);
    }
    let next = client.exchanges.get(heard.whole);
    if heard.is_cut {
        let of = next.unwrap_or(&client.exchanges[client.exchanges.len() - 1]);
        // FIXME: F1. Bytes behind the last request of a connection turn our close into a reset.
        let is_f1 = report.sent > client.sent_up_to(heard.whole.min(client.exchanges.len() - 1));
        let is_cut_by_target = !matches!(of.answer.fault, Fault::None);
        let is_excused = is_f1 || is_cut_by_target || outcome.cut > 0;
        assert!(is_excused, "five: the response to {} was cut", of.marker);
        return;
    }
    let Some(next) = next else { return };
    // What it sent behind the last response may meet the close of an idle connection.
    let is_expected = heard.says_close || outcome.has_closed_early || outcome.cut > 0;
    let is_expected = is_expected || !matches!(next.answer.fault, Fault::None);
    assert!(is_expected, "five: {} was not answered", next.marker);
}

/// Whether the proxy may have to answer for a target.
fn may_fail(plan: &Plan, exchange: &Exchange) -> bool {
    let mut exchanges = plan.clients.iter().flat_map(|client| &client.exchanges);
    let closes = exchanges.any(|exchange| matches!(exchange.answer.after, After::CloseUntold(_)));
    let is_certain = exchange.is_idempotent() && exchange.body.is_empty();
    exchange.answer.fault != Fault::None || plan.family.refusals || (closes && !is_certain)
}

fn records(outcome: &Outcome, seen: &Seen, answered: &Answered) {
    let mut records: HashMap<&str, Vec<u16>> = HashMap::new();
    let mut count = 0;
    for line in &outcome.log {
        let status = value_of(line, "\"status\":").parse().unwrap();
        let marker = value_of(line, "\"request_target\":\"");
        if !marker.is_empty() {
            records.entry(marker).or_default().push(status);
        }
        count += 1;
    }
    for (marker, statuses) in &records {
        assert_eq!(statuses.len(), 1, "three: {marker} has the records {statuses:?}");
    }
    for marker in seen.keys() {
        assert!(records.contains_key(marker.as_str()), "three: {marker} has no record");
    }
    for (marker, status) in answered {
        let recorded = records.get(marker.as_str()).map(Vec::as_slice);
        // FIXME: the record of a request that the deadline of a stop cuts within its response says 503, where its
        // client got another status.
        let is_stopped = outcome.cut > 0 && recorded == Some(&[503]);
        assert!(is_stopped || recorded == Some(&[*status]), "three: {marker} got {status}: {recorded:?}");
    }
    let cells = outcome.snapshots.iter().flat_map(|snapshot| &snapshot.listeners);
    let mut cells: Vec<_> = cells.map(|listener| &listener.cells).collect();
    cells.dedup_by(|one, other| std::sync::Arc::ptr_eq(one, other));
    let mut counted = HashMap::new();
    for cells in cells {
        counted.insert(std::sync::Arc::as_ptr(cells), cells.of(0).requests.read());
    }
    assert_eq!(counted.values().sum::<u64>(), count, "three: counters and records differ");
}

/// What stands behind `key` in a line of JSON; the end of an empty value is its beginning.
fn value_of<'a>(line: &'a str, key: &str) -> &'a str {
    let Some((_, rest)) = line.split_once(key) else { return "" };
    rest.split([',', '"', '}']).next().unwrap_or_default()
}

fn leaks(outcome: &Outcome) {
    let worker = outcome.live.worker_cells().of(0);
    assert_eq!(worker.connections_open.read(), 0, "four: clients' connections");
    for snapshot in &outcome.snapshots {
        for listener in &snapshot.listeners {
            let cells = listener.cells.of(0);
            assert_eq!(cells.connections_open.read(), 0, "four: the listener's connections");
            assert_eq!(cells.requests_in_flight.read(), 0, "four: the listener's requests in flight");
            assert_eq!(cells.accepts_waiting.read(), 0, "four: accepts that wait");
            for rule in listener.rules.iter().filter_map(|rule| rule.live.as_ref()) {
                assert_eq!(rule.tunnels(), 0, "four: tunnels");
            }
        }
        for target in snapshot.groups.iter().flat_map(|group| &group.targets) {
            let cells = target.cells().of(0);
            assert_eq!(cells.connections_open.read(), 0, "four: connections to targets");
            assert_eq!(cells.requests_in_flight.read(), 0, "four: the target's requests in flight");
            assert_eq!(target.in_flight(), 0, "four: requests in flight at a target");
        }
    }
    if outcome.cut == 0 {
        let [before, after] = outcome.stats.map(|stats| (stats.tasks, stats.sources, stats.leased_bytes));
        // The task that took commands has ended.
        assert_eq!(after, (before.0 - 1, before.1, before.2), "four: tasks, sources, leased bytes");
    }
}
