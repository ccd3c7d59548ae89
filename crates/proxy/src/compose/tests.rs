//! Composed heads, byte for byte.

mod edits;
mod failures;
mod fields;
mod finals;
mod forwarded;
mod random_requests;
mod random_responses;
mod ready;
mod relayed;
mod request_line;
mod session;
mod tls;

use super::*;
use crate::arrival::Arrival;
use crate::date::{Date, DateCache};
use crate::decide::{Ready, Verdict, decide, ready};
use crate::failed::Failed;
use crate::fixture::{Request, Response, arrival, lines, question};
use crate::relay::BodyWriter;
use crate::snapshot::{RulePlan, Snapshot};
use model::FieldEdits;
use proto::compression::HeadEdits;
use proto::http1::ResponseBody;

const ID: &str = "0123456789abcdef0123456789abcdef";
/// 6 November 1994, 08:49:37.
const DATE_SECONDS: u64 = 784_111_777;
const DATE: &str = "Date: Sun, 06 Nov 1994 08:49:37 GMT";
const CLIENT: &str = "192.0.2.7:4711";

/// The head that a target gets for a request that came so.
fn forwarded_to(snapshot: &Snapshot, arrival: &Arrival, request: &Request, target: &str) -> Vec<u8> {
    forwarded_with(snapshot, arrival, request, target, CookieEdit::Nothing)
}

fn forwarded_with(
    snapshot: &Snapshot,
    arrival: &Arrival,
    request: &Request,
    target: &str,
    cookies: CookieEdit<'_>,
) -> Vec<u8> {
    let question = question(snapshot, arrival, request);
    let decision = decide(&question);
    let Verdict::Forward(forward) = decision.verdict else { panic!("{request:?}: {decision:?}") };
    let composer = RequestComposer {
        plan: question.plan,
        rule: &question.plan.rules[forward.rule],
        arrival,
        source: question.source,
        request: question.request,
        path: decision.normal_path.as_deref().unwrap_or(question.request.path()),
        id: ID.as_bytes(),
        target: target.parse().unwrap(),
        cookies,
    };
    let mut out = Vec::new();
    composer.write(&mut out);
    out
}

/// The lines of the head that the target at port 9001 gets, without the empty line.
fn forwarded(snapshot: &Snapshot, arrival: &Arrival, head: &str) -> String {
    let head = lines(&forwarded_to(snapshot, arrival, &Request::new(head), "127.0.0.1:9001"));
    head.strip_suffix("\n\n").unwrap().to_owned()
}

/// A client that waits for a response.
struct Client<'a> {
    snapshot: &'a Snapshot,
    arrival: Arrival,
    request: Request,
    persists: bool,
    is_target_http2: bool,
    session: Option<SessionField<'a>>,
}

impl<'a> Client<'a> {
    fn new(snapshot: &'a Snapshot, request: &str) -> Self {
        Self {
            snapshot,
            arrival: arrival(CLIENT),
            request: Request::new(request),
            persists: true,
            is_target_http2: false,
            session: None,
        }
    }

    /// The composer of a response with these edits, for as long as `compose` needs it.
    fn compose<T>(&self, edits: &FieldEdits, compose: impl FnOnce(ResponseComposer<'_>) -> T) -> T {
        let cache = DateCache::default();
        compose(ResponseComposer {
            plan: &self.snapshot.listeners[0],
            edits,
            arrival: &self.arrival,
            request: Some(self.request.text()),
            id: ID.as_bytes(),
            persists: self.persists,
            date: Date { cache: &cache, unix_seconds: DATE_SECONDS },
            is_target_http2: self.is_target_http2,
            session: self.session,
        })
    }

    /// The rule that the request meets, and what it replies by itself.
    fn rule(&self) -> (&'a RulePlan, Option<Ready<'a>>) {
        let question = question(self.snapshot, &self.arrival, &self.request);
        let decision = decide(&question);
        let plan = &self.snapshot.listeners[0];
        match decision.verdict {
            Verdict::Forward(forward) => (&plan.rules[forward.rule], None),
            Verdict::Reply { rule } => {
                let path = decision.normal_path.as_deref().unwrap_or(question.request.path());
                (&plan.rules[rule], ready(&plan.rules[rule], path, question.request))
            }
            Verdict::Refuse(failed) => panic!("{:?}: {failed:?}", self.request),
        }
    }

    /// The head that the client gets for this response of the target, framed as `deliver` does.
    fn relayed_bytes(&self, response: &Response, edits: &HeadEdits) -> Vec<u8> {
        let (request, response) = (self.request.text(), response.text());
        let body = response.head.body_length(request.head.method());
        let (writer, persists) = match body {
            _ if edits.coding.is_some() => (BodyWriter::Chunked, true),
            ResponseBody::None | ResponseBody::Length(_) => (BodyWriter::Plain, true),
            _ if request.takes_chunks() => (BodyWriter::Chunked, true),
            _ => (BodyWriter::Plain, false),
        };
        let mut out = Vec::new();
        self.compose(&self.rule().0.response_fields, |mut composer| {
            composer.persists &= persists;
            composer.write_relayed(response, Shape { body, writer, edits }, &mut out);
        });
        out
    }

    /// The lines of that head, without the empty line.
    fn relayed(&self, response: &str) -> String {
        let head = self.relayed_bytes(&Response::new(response), &HeadEdits::default());
        without_id(&lines(&head)).strip_suffix("\n\n").unwrap().to_owned()
    }

    /// The rule's own reply, head and body, and the bytes that are counted for the body.
    fn ready(&self) -> (String, u64) {
        let (rule, ready) = self.rule();
        let mut out = Vec::new();
        let sent = self.compose(&rule.response_fields, |composer| {
            composer.write_ready(ready.unwrap(), self.request.text(), &mut out)
        });
        (without_id(&message_text(&out)), sent)
    }

    /// The reply to a failure, head and body, and the bytes that are counted for the body.
    fn failure(&self, failed: impl Into<Failed>) -> (String, u64) {
        let mut out = Vec::new();
        let failed = failed.into();
        let sent = self.compose(&FieldEdits::default(), |composer| composer.write_failure(failed, &mut out));
        (message_text(&out), sent)
    }

    /// The head of the reply to a failure behind the request's rule.
    fn failure_of_rule(&self, failure: model::Failure) -> String {
        let mut out = Vec::new();
        self.compose(&self.rule().0.response_fields, |composer| {
            composer.write_failure(failure.into(), &mut out)
        });
        let text = message_text(&out);
        text[..text.find("\n\n").unwrap()].to_owned()
    }
}

/// Head and body as text: lines of the head end with LF, and the body is as it is.
fn message_text(message: &[u8]) -> String {
    let end = message.windows(4).position(|bytes| bytes == b"\r\n\r\n").unwrap() + 4;
    lines(&message[..end]) + std::str::from_utf8(&message[end..]).unwrap()
}

/// The head without the field that every response has, and that is the same in all of them.
fn without_id(head: &str) -> String {
    let field = format!("\nX-Request-Id: {ID}\n");
    assert_eq!(head.matches(&field).count(), 1, "{head}");
    head.replace(&field, "\n")
}

/// How often the head has a field of this name.
fn count(head: &str, name: &str) -> usize {
    let is_it = |line: &&str| line.split(':').next().is_some_and(|own| own.eq_ignore_ascii_case(name));
    head.lines().take_while(|line| !line.is_empty()).filter(is_it).count()
}
