//! Which fields of a client's request go to a target, and what we say there about the client. The composer writes it, and
//! conditions of rules are asked about it: a rule must not believe what its target never gets.

use model::FieldEdits;
use proto::http1::{BodyLength, Field, Known, Method, Version, token};

use super::edits::is_edited_or_alias;
use super::forwarded::Forwarder;
use super::via;
use crate::arrival::{Arrival, Source};
use crate::head::RequestText;
use crate::snapshot::ListenerPlan;

/// The fields of a request on their way to a target.
#[derive(Clone, Copy)]
pub(crate) struct Passage<'a> {
    pub(crate) plan: &'a ListenerPlan,
    pub(crate) arrival: &'a Arrival,
    pub(crate) source: Source,
    pub(crate) request: RequestText<'a>,
}

impl Passage<'_> {
    /// Whether the client's field goes to the target with these edits.
    pub(super) fn passes_on(&self, field: &Field, edits: &FieldEdits) -> bool {
        let name = field.name.of(self.request.bytes);
        self.is_kept(field)
            && !is_edited_or_alias(edits, name)
            && !self.claims_identity(name)
            && !self.evades_conditions(name)
    }

    fn is_kept(&self, field: &Field) -> bool {
        match field.known {
            Known::Other => !field.named_by_connection && !self.counts_forwards(field),
            Known::Claim => self.source.is_trusted && !field.alias && !field.named_by_connection,
            Known::Upgrade => !field.alias && self.request.asks_for_websocket(),
            Known::XRequestId => false,
            Known::XForwardedFor
            | Known::XForwardedProto
            | Known::XForwardedHost
            | Known::XForwardedPort
            | Known::Forwarded => !field.alias && self.forwarder().keeps(field.known),
            // An alias of a field that decides the framing or the host means nothing to us, but may to a target.
            Known::Host | Known::ContentLength | Known::TransferEncoding if field.alias => false,
            // HTTP/1.0 cannot expect anything, and its request is forwarded as HTTP/1.1 (RFC 9110 §10.1.1).
            Known::Expect => self.request.head.version() == Version::Http11 && !field.alias,
            // Written anew where they are meant for the target.
            Known::TransferEncoding | Known::Te => false,
            _ => !field.is_hop_by_hop(),
        }
    }

    /// Whether it is a `Max-Forwards` that is written anew, one lower.
    fn counts_forwards(&self, field: &Field) -> bool {
        // First what is cheap and false for nearly every request.
        matches!(self.request.head.method(), Method::Options | Method::Trace)
            && token::eq_ignore_case(self.request.text(field.name), MAX_FORWARDS)
            && self.request.forwards_left().is_some()
    }

    /// The value of `Max-Forwards` for the target (RFC 9110 §7.6.2).
    pub(super) fn max_forwards(&self) -> Option<u64> {
        self.request.forwards_left().map(|left| left.saturating_sub(1))
    }

    /// Writes the fields that are ours, but for the request's id, which is not known before a decision.
    pub(super) fn write_ours(&self, out: &mut Vec<u8>) {
        let head = self.request.head;
        // RFC 9110 §8.6. Some servers answer 411 without it, and clients of HTTP/2 need not send it.
        if head.body() == BodyLength::None && head.method().expects_content() {
            out.extend_from_slice(b"Content-Length: 0\r\n");
        }
        if self.request.asks_for_websocket() {
            out.extend_from_slice(b"Connection: Upgrade\r\n");
        } else if head.te_trailers() {
            out.extend_from_slice(b"Connection: TE\r\nTE: trailers\r\n");
        }
        if head.body() == BodyLength::Chunked {
            out.extend_from_slice(b"Transfer-Encoding: chunked\r\n");
        }
        self.write_identity(out);
        self.forwarder().write(out);
        via::write(self.plan.http.via.as_deref(), head.version(), self.arrival.is_http2, out);
    }

    /// Passes the values that a target would get of this field to `each`, until that returns true; returns whether it did.
    /// The edits of a rule come after its choice. Allocates only for a field that we write.
    pub(crate) fn values(&self, name: &[u8], each: &mut dyn FnMut(&[u8]) -> bool) -> bool {
        let no_edits = const { &FieldEdits { set: Vec::new(), add: Vec::new(), remove: Vec::new() } };
        let is_sent = |field: &&Field| {
            token::eq_ignore_case(self.request.text(field.name), name) && self.passes_on(field, no_edits)
        };
        let sent = self.request.head.fields().iter().filter(is_sent);
        if sent.map(|field| self.request.text(field.value)).any(&mut *each) {
            return true;
        }
        match Known::of(name) {
            Known::Host if self.request.field(Known::Host).is_none() => {
                self.request.host().is_some_and(&mut *each)
            }
            // Ours is random.
            Known::XRequestId if self.source.is_trusted => {
                self.request.field(Known::XRequestId).is_some_and(&mut *each)
            }
            Known::Other if token::eq_ignore_case(name, MAX_FORWARDS) => {
                self.max_forwards().is_some_and(|left| each(left.to_string().as_bytes()))
            }
            known if self.is_ours(known, name) => {
                let mut ours = Vec::new();
                self.write_ours(&mut ours);
                values_of(&ours, name).any(each)
            }
            _ => false,
        }
    }

    fn is_ours(&self, known: Known, name: &[u8]) -> bool {
        match known {
            Known::Connection
            | Known::ContentLength
            | Known::Te
            | Known::TransferEncoding
            | Known::Via
            | Known::XForwardedFor
            | Known::XForwardedProto
            | Known::XForwardedHost
            | Known::XForwardedPort
            | Known::Forwarded => true,
            _ => self.claims_identity(name),
        }
    }

    fn forwarder(&self) -> Forwarder<'_> {
        let Self { plan, arrival, source, request } = *self;
        Forwarder { settings: plan.http.forwarded, arrival, source, request }
    }

    /// Whether a field claims to identify the client, which only we do (MT3).
    fn claims_identity(&self, name: &[u8]) -> bool {
        self.identity_fields().iter().any(|field| token::is_same_variable(field.as_bytes(), name))
    }

    /// Whether a target may take a field of this name for one about which a condition is asked, while the rules do not. No
    /// condition must see it either: it would hold for a target that tells the two apart.
    fn evades_conditions(&self, name: &[u8]) -> bool {
        let names = &self.plan.condition_fields;
        names.iter().any(|asked| token::is_same_variable(asked.as_bytes(), name))
            && !names.iter().any(|asked| token::eq_ignore_case(asked.as_bytes(), name))
    }

    /// Whether a field of the request evades conditions.
    pub(super) fn has_evading_field(&self) -> bool {
        !self.plan.condition_fields.is_empty()
            && self
                .request
                .head
                .fields()
                .iter()
                .any(|field| self.evades_conditions(self.request.text(field.name)))
    }

    pub(super) fn identity_fields(&self) -> &[String] {
        self.plan.tls.as_ref().map_or(&[], |plan| &plan.identity_fields)
    }

    /// The identity of the client's certificate, in the fields that its host configures (MT3).
    fn write_identity(&self, out: &mut Vec<u8>) {
        let Some(tls_facts) = self.arrival.security.tls_facts() else { return };
        if let Some(rules) = &tls_facts.host.client {
            tls::write_headers(tls_facts.identity.as_ref(), &rules.auth.headers, out);
        }
    }
}

/// The values of the fields of this name among lines that we wrote.
fn values_of<'a>(lines: &'a [u8], name: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
    lines.split(|&byte| byte == b'\n').filter_map(move |line| {
        let colon = line.iter().position(|&byte| byte == b':')?;
        token::eq_ignore_case(&line[..colon], name).then(|| line[colon + 1..].trim_ascii())
    })
}

pub(super) const MAX_FORWARDS: &[u8] = b"max-forwards";
