//! The heads of responses to clients.

use model::FieldEdits;
use proto::compression::HeadEdits;
use proto::http1::{Field, Known, Names, ResponseBody, ResponseHead, Version, encode, token};

use super::edits::{belongs_to_failure, belongs_to_handshake, is_edited, write_edits_of, write_field};
use super::session::SessionField;
use super::via;
use crate::arrival::{Arrival, Security};
use crate::date::Date;
use crate::head::{RequestText, ResponseText};
use crate::relay::BodyWriter;
use crate::snapshot::ListenerPlan;

/// Composes the head of every response that goes to a client.
#[derive(Clone, Copy)]
pub(crate) struct ResponseComposer<'a> {
    pub(crate) plan: &'a ListenerPlan,
    /// The rule's edits; empty where no rule was found.
    pub(crate) edits: &'a FieldEdits,
    pub(crate) arrival: &'a Arrival,
    /// `None`: the request's head could not be read.
    pub(crate) request: Option<RequestText<'a>>,
    pub(crate) id: &'a [u8],
    /// Whether the client's connection goes on.
    pub(crate) persists: bool,
    pub(crate) date: Date<'a>,
    /// The target speaks HTTP/2: the version of its responses is that of their text.
    pub(crate) is_target_http2: bool,
    /// What a response of a target says about its session.
    pub(crate) session: Option<SessionField<'a>>,
}

/// Which of the common fields a response carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A target's 1xx.
    Interim(Version),
    /// A target's 101 to a WebSocket.
    Switch(Version),
    /// A target's final response.
    Relayed(Version),
    /// A rule's own reply.
    Ready,
    /// The reply to a request that failed.
    Failure,
}

/// What the target has sent of the fields that are added where they are missing.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Present {
    date: bool,
    id: bool,
}

impl Present {
    fn of(head: &ResponseHead) -> Self {
        // A field that is not passed on is missing.
        let has = |known| head.fields_of(known).any(|field| !field.named_by_connection);
        Self { date: has(Known::Date), id: has(Known::XRequestId) }
    }
}

/// How a target's final response is changed on its way.
#[derive(Clone, Copy)]
pub(crate) struct Shape<'a> {
    pub(crate) body: ResponseBody,
    pub(crate) writer: BodyWriter,
    /// By compression.
    pub(crate) edits: &'a HeadEdits,
}

impl ResponseComposer<'_> {
    /// An interim response (RFC 9110 §15.2). What the rule replaces or removes is left out; what it adds is for the final one.
    pub(crate) fn write_interim(&self, response: ResponseText<'_>, out: &mut Vec<u8>) {
        write_status_line(response, out);
        copy_fields(response, out, |field| {
            !(field.is_hop_by_hop()
                || field.known == Known::ContentLength
                || is_edited(self.edits, response.text(field.name)))
        });
        self.write_end(Kind::Interim(response.head.version()), Present::default(), out);
    }

    /// The 101 to a WebSocket (RFC 9110 §7.8).
    pub(crate) fn write_switch(&self, response: ResponseText<'_>, out: &mut Vec<u8>) {
        let kind = Kind::Switch(response.head.version());
        write_status_line(response, out);
        let keep = |field: &Field| {
            field.is(Known::Upgrade)
                || !(field.is_hop_by_hop()
                    || field.known == Known::ContentLength
                    || self.replaces(kind, response.text(field.name)))
        };
        match self.session.filter(|session| session.is_rewritten) {
            None => copy_fields(response, out, keep),
            Some(session) => copy_routed(response, &session, out, keep),
        }
        self.write_end(kind, Present::of(response.head), out);
    }

    /// The target's final response.
    pub(crate) fn write_relayed(&self, response: ResponseText<'_>, shape: Shape<'_>, out: &mut Vec<u8>) {
        let (head, is_same) = (response.head, shape.edits.is_empty());
        write_status_line(response, out);
        let keeps_length = shape.keeps_length(head.status());
        let length = response.text(head.length_value());
        let copies_length = keeps_length && encode::is_plain_length(length);
        let rewrites = self.session.filter(|session| session.is_rewritten);
        let has_own = self.hsts().is_some() || !self.edits.is_empty() || !is_same || rewrites.is_some();
        match head.fields_together(ALWAYS_PASSED_ON) {
            Some(lines) if copies_length && !has_own => out.extend_from_slice(response.text(lines)),
            _ => {
                let keep = |field: &Field| {
                    let name = response.text(field.name);
                    passes_on(field, head.status(), copies_length)
                        && !self.is_ours(name)
                        && (is_same || !shape.edits.drops(name))
                };
                match &rewrites {
                    None => copy_fields(response, out, keep),
                    Some(session) => copy_routed(response, session, out, keep),
                }
            }
        }
        if keeps_length && !copies_length {
            encode::write_length(out, length);
        }
        if !is_same {
            let mut fields = head.fields().iter();
            let etag = fields.find(|field| token::eq_ignore_case(response.text(field.name), b"etag"));
            // A field that is not passed on must not come back.
            let etag = etag.filter(|field| !(field.named_by_connection || is_edited(self.edits, b"etag")));
            shape.edits.write(etag.map(|field| response.text(field.value)), out);
        }
        if shape.writer == BodyWriter::Chunked {
            out.extend_from_slice(b"Transfer-Encoding: chunked\r\n");
        }
        if head.status() == 426 && head.upgrade() {
            out.extend_from_slice(b"Connection: Upgrade\r\n");
        }
        self.write_end(Kind::Relayed(head.version()), Present::of(head), out);
    }

    /// Ends a head of any kind: the fields that we add, and the empty line. A field for every response is added here.
    pub(super) fn write_end(&self, kind: Kind, present: Present, out: &mut Vec<u8>) {
        // RFC 9110 §6.6.1: a recipient with a clock adds a date that is missing.
        if kind.is_final() && !(present.date || is_edited(self.edits, b"date")) {
            self.date.write(out);
        }
        if self.plan.http.response_ids && !(present.id || kind.is_interim()) {
            write_field("X-Request-Id", self.id, out);
        }
        if kind.is_final()
            && let Some(hsts) = self.hsts()
        {
            for part in [HSTS, ": ", hsts, "\r\n"] {
                out.extend_from_slice(part.as_bytes());
            }
        }
        if let Kind::Interim(version) | Kind::Switch(version) | Kind::Relayed(version) = kind {
            via::write(self.plan.http.via.as_deref(), version, self.is_target_http2, out);
        }
        write_edits_of(self.edits, |name| kind.takes_edit_of(name), out);
        if let (Some(session), Kind::Relayed(_) | Kind::Switch(_)) = (&self.session, kind) {
            session.write(out);
        }
        match kind {
            Kind::Interim(_) => {}
            Kind::Switch(_) => out.extend_from_slice(b"Connection: Upgrade\r\n"),
            Kind::Relayed(_) | Kind::Ready | Kind::Failure => self.write_connection(out),
        }
        out.extend_from_slice(b"\r\n");
    }

    /// Whether the rule replaces or removes the field of this name in a response of this kind.
    pub(super) fn replaces(&self, kind: Kind, name: &[u8]) -> bool {
        kind.takes_edit_of(name) && is_edited(self.edits, name)
    }

    /// What the client is told about its connection (RFC 9112 §9.3).
    fn write_connection(&self, out: &mut Vec<u8>) {
        let is_http10 = || self.request.is_some_and(|request| request.head.version() == Version::Http10);
        if !self.persists {
            out.extend_from_slice(b"Connection: close\r\n");
        } else if is_http10() {
            out.extend_from_slice(b"Connection: keep-alive\r\n");
        }
    }

    /// `Strict-Transport-Security` (RFC 6797), unless the rule edits it. Over plain HTTP it must not be sent (§7.2).
    fn hsts(&self) -> Option<&str> {
        let hsts = self.plan.tls.as_ref()?.hsts.as_deref()?;
        let is_secure = matches!(self.arrival.security, Security::Tls(_));
        (is_secure && !is_edited(self.edits, HSTS.as_bytes())).then_some(hsts)
    }

    /// Whether the target's field gives way to one of ours.
    fn is_ours(&self, name: &[u8]) -> bool {
        is_edited(self.edits, name) || self.hsts().is_some() && token::eq_ignore_case(name, HSTS.as_bytes())
    }
}

impl Kind {
    fn is_interim(self) -> bool {
        matches!(self, Self::Interim(_))
    }

    fn is_final(self) -> bool {
        !matches!(self, Self::Interim(_) | Self::Switch(_))
    }

    /// Whether a rule may write or take away a field of this name.
    fn takes_edit_of(self, name: &[u8]) -> bool {
        match self {
            Self::Interim(_) => false,
            Self::Switch(_) => !belongs_to_handshake(name),
            Self::Failure => !belongs_to_failure(name),
            Self::Relayed(_) | Self::Ready => true,
        }
    }
}

impl Shape<'_> {
    /// Whether the client gets the target's `Content-Length`.
    fn keeps_length(&self, status: u16) -> bool {
        match self.body {
            _ if self.edits.coding.is_some() => false,
            ResponseBody::Length(_) => true,
            // After a HEAD or in a 304 it is the length of the body that there would be; a 204 has none (RFC 9110 §8.6).
            ResponseBody::None => status != 204,
            ResponseBody::Chunked | ResponseBody::UntilClose => false,
        }
    }
}

/// Whether a field of a final response goes to the client, edits apart.
fn passes_on(field: &Field, status: u16, copies_length: bool) -> bool {
    match field.known {
        Known::Other => !field.named_by_connection,
        Known::ContentLength => copies_length && !field.alias,
        Known::TransferEncoding => false,
        // A 426 names in it the protocol that it wants (RFC 9110 §15.5.22).
        Known::Upgrade => status == 426,
        _ => !field.is_hop_by_hop(),
    }
}

/// Our version, whatever the target's is (RFC 9110 §2.5), with the target's status and reason.
fn write_status_line(response: ResponseText<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(b"HTTP/1.1 ");
    encode::write_status(out, response.head.status());
    out.push(b' ');
    out.extend_from_slice(response.text(response.head.reason()));
    out.extend_from_slice(b"\r\n");
}

/// Copies fields; the cookies that carry a route get it where they stand.
fn copy_routed(
    response: ResponseText<'_>,
    session: &SessionField<'_>,
    out: &mut Vec<u8>,
    keep: impl Fn(&Field) -> bool,
) {
    for field in response.head.fields().iter().filter(|field| keep(field)) {
        if !session.rewrite(response, field, out) {
            out.extend_from_slice(response.text(field.line));
        }
    }
}

fn copy_fields(response: ResponseText<'_>, out: &mut Vec<u8>, keep: impl FnMut(&Field) -> bool) {
    encode::copy_fields(out, response.bytes, response.head.fields(), keep);
}

/// Known names that are always passed on. A head with no other known names is copied in one piece.
const ALWAYS_PASSED_ON: Names = Names::of(&[
    Known::Date,
    Known::Server,
    Known::Location,
    Known::SetCookie,
    Known::XRequestId,
    Known::ContentLength,
]);

const HSTS: &str = "Strict-Transport-Security";
