//! Compares what Evenkeel says it forwarded with what a server saw.

use std::collections::HashMap;

use super::exchange::{Exchange, Run, Told};

/// One line of a server's log. A server that refuses a request early logs neither its id nor its target.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) id: String,
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) status: u64,
    pub(crate) body_bytes: Option<u64>,
}

/// Counts of requests by their results.
#[derive(Debug, Default)]
pub(crate) struct Report {
    requests: usize,
    /// Refused by Evenkeel before any byte was sent to the server.
    refused: usize,
    /// Cut off within the body, by Evenkeel or the client.
    cut: usize,
    forwarded_once: usize,
    refused_by_server: usize,
    pub(crate) disagreements: Vec<String>,
}

impl Report {
    pub(crate) const HEADING: &'static str =
        "server    requests  refused  cut off  forwarded once  refused by it  disagreements";

    pub(crate) fn line(&self, server: &str) -> String {
        format!(
            "{server:<8}  {:>8}  {:>7}  {:>7}  {:>14}  {:>13}  {:>13}",
            self.requests,
            self.refused,
            self.cut,
            self.forwarded_once,
            self.refused_by_server,
            self.disagreements.len()
        )
    }
}

pub(crate) fn compare(run: &Run, seen: &[Seen]) -> Report {
    let mut report = Report::default();
    let mut by_id: HashMap<&str, Vec<&Seen>> = HashMap::new();
    for one in seen {
        by_id.entry(&one.id).or_default().push(one);
    }
    // Refusals of the server that do not name their request.
    let mut nameless = by_id.remove("").unwrap_or_default().len();
    nameless += by_id.remove("-").unwrap_or_default().len();
    for exchange in &run.exchanges {
        for told in &exchange.told {
            report.requests += 1;
            let seen = by_id.remove(told.id.as_str()).unwrap_or_default();
            if let Err(error) = report.judge(told, &seen, &mut nameless) {
                report.disagreements.push(format!("{}: {error}: {told:?} {seen:?}", exchange.name));
            }
        }
        if let Err(error) = answers(exchange) {
            report.disagreements.push(format!("{}: {error}: {exchange:?}", exchange.name));
        }
    }
    let unknown = by_id.into_values().flatten().map(|seen| format!("a request that was not sent: {seen:?}"));
    report.disagreements.extend(unknown);
    if nameless > 0 {
        report.disagreements.push(format!("{nameless} requests that were not sent were refused"));
    }
    report
}

impl Report {
    fn judge(&mut self, told: &Told, seen: &[&Seen], nameless: &mut usize) -> Result<(), &'static str> {
        if told.attempts == 0 {
            self.refused += 1;
            return if seen.is_empty() { Ok(()) } else { Err("refused, and seen") };
        }
        if seen.len() > 1 {
            return Err("seen more than once");
        }
        let is_same = |seen: &Seen| seen.method == told.method && is_target(told, &seen.target);
        if seen.iter().any(|seen| !is_same(seen)) {
            return Err("another method or target");
        }
        if !told.reason.is_empty() {
            self.cut += 1;
            *nameless = nameless.saturating_sub(usize::from(seen.is_empty()));
            return Ok(());
        }
        match seen {
            [seen] if seen.status >= 400 => self.refused_by_server += 1,
            [seen] if seen.body_bytes.is_some_and(|bytes| bytes != told.body_bytes) => {
                return Err("another length of body");
            }
            [_] => self.forwarded_once += 1,
            [] if told.status >= 400 => {
                self.refused_by_server += 1;
                *nameless = nameless.saturating_sub(1);
            }
            _ => return Err("answered, and not seen"),
        }
        Ok(())
    }
}

/// Compares targets. Evenkeel's log truncates long ones.
fn is_target(told: &Told, seen: &str) -> bool {
    match told.target.strip_suffix("...") {
        Some(start) if start.len() > 1000 => seen.starts_with(start),
        _ => told.target == seen,
    }
}

/// Checks that each response names the next request of its connection.
fn answers(exchange: &Exchange) -> Result<(), &'static str> {
    let mut told = exchange.told.iter().filter(|told| told.attempts > 0);
    let in_order = exchange.answered.iter().all(|id| told.any(|told| told.id == *id));
    if in_order { Ok(()) } else { Err("an answer to another request") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(id: &str) -> Told {
        Told {
            id: id.into(),
            method: "GET".into(),
            target: "/".into(),
            status: 200,
            attempts: 1,
            ..Told::default()
        }
    }

    fn seen(id: &str) -> Seen {
        Seen { id: id.into(), method: "GET".into(), target: "/".into(), status: 200, body_bytes: Some(0) }
    }

    fn report(told: Vec<Told>, answered: &[&str], seen: &[Seen]) -> Report {
        let answered = answered.iter().map(|id| (*id).to_owned()).collect();
        compare(&Run { exchanges: vec![Exchange { name: "case".into(), told, answered }] }, seen)
    }

    #[test]
    fn a_forwarded_request_is_seen_once_and_unchanged() {
        let refused = Told { attempts: 0, status: 400, reason: "x".into(), ..told("b") };
        let by_server = Told { status: 400, ..told("c") };
        let cut = Told { reason: "y".into(), ..told("d") };
        let all = vec![told("a"), refused, by_server, cut];
        let report = report(all, &["a"], &[seen("a"), Seen { status: 400, ..Seen::default() }]);
        assert_eq!(report.disagreements, [""; 0]);
        let counts =
            (report.requests, report.refused, report.cut, report.forwarded_once, report.refused_by_server);
        assert_eq!(counts, (4, 1, 1, 1, 1));
    }

    #[test]
    fn every_difference_is_a_disagreement() {
        let of = |told: Vec<Told>, answered: &[&str], seen: &[Seen]| {
            report(told, answered, seen).disagreements.len()
        };
        assert_eq!(of(vec![told("a")], &[], &[]), 1, "not seen");
        assert_eq!(of(vec![told("a")], &[], &[seen("a"), seen("a")]), 1, "seen twice");
        assert_eq!(of(vec![told("a")], &[], &[seen("a"), seen("smuggled")]), 1, "one more");
        assert_eq!(
            of(vec![told("a")], &[], &[seen("a"), Seen { status: 400, ..Seen::default() }]),
            1,
            "a rest"
        );
        assert_eq!(of(vec![told("a")], &[], &[Seen { target: "/x".into(), ..seen("a") }]), 1, "elsewhere");
        assert_eq!(of(vec![told("a")], &[], &[Seen { body_bytes: Some(1), ..seen("a") }]), 1, "more body");
        assert_eq!(of(vec![Told { attempts: 0, ..told("a") }], &[], &[seen("a")]), 1, "refused and seen");
        assert_eq!(
            of(vec![told("a"), told("b")], &["b", "a"], &[seen("a"), seen("b")]),
            1,
            "answers swapped"
        );
    }
}
