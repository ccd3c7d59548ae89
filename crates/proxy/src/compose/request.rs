//! The head of a request to a target: the client's head with our edits, in the client's spelling and order.

use std::net::SocketAddr;

use balance::rewrite_path;
use model::PathRewrite;
use proto::http1::path::with_parameters;
use proto::http1::{Field, Known, Method, Names, RequestHead, Span, TargetForm, encode};

use super::edits::{is_edited, write_edits};
use super::passage::{MAX_FORWARDS, Passage};
use super::session::CookieEdit;
use crate::arrival::{Arrival, Source};
use crate::head::RequestText;
use crate::snapshot::{ListenerPlan, RulePlan};

/// Composes the head of every request that goes to a target.
#[derive(Clone, Copy)]
pub(crate) struct RequestComposer<'a> {
    pub(crate) plan: &'a ListenerPlan,
    pub(crate) rule: &'a RulePlan,
    pub(crate) arrival: &'a Arrival,
    pub(crate) source: Source,
    pub(crate) request: RequestText<'a>,
    /// Normalised.
    pub(crate) path: &'a [u8],
    pub(crate) id: &'a [u8],
    pub(crate) target: SocketAddr,
    pub(crate) cookies: CookieEdit<'a>,
}

impl RequestComposer<'_> {
    /// Writes the head with the empty line behind it.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        self.write_request_line(out);
        self.write_fields(out);
        out.extend_from_slice(b"\r\n");
    }

    /// In origin-form (RFC 9112 §3.2.1), with the path that the rule rewrites, or as the client sent it.
    fn write_request_line(&self, out: &mut Vec<u8>) {
        let RequestText { head, .. } = self.request;
        let (method, target) = (head.method_span(), head.target());
        if head.target_form() == TargetForm::Origin && self.rule.rewrite.is_none() {
            // There is one space between them.
            out.extend_from_slice(self.request.text(Span { start: method.start, end: target.end }));
            out.extend_from_slice(b" HTTP/1.1\r\n");
            return;
        }
        out.extend_from_slice(self.request.text(method));
        out.push(b' ');
        match &self.rule.rewrite {
            // The asterisk stands for the server, not for a path (RFC 9112 §3.2.4).
            _ if is_asterisk(head) => out.push(b'*'),
            Some(rewrite) => self.write_rewritten(rewrite, out),
            None => out.extend_from_slice(self.request.path()),
        }
        if let Some(query) = head.query() {
            out.push(b'?');
            out.extend_from_slice(self.request.text(query));
        }
        out.extend_from_slice(b" HTTP/1.1\r\n");
    }

    fn write_rewritten(&self, rewrite: &PathRewrite, out: &mut Vec<u8>) {
        let mut scratch = Vec::new();
        let sent = self.request.path();
        // A path that was normal as sent has no parameters.
        let with_parameters =
            if self.path == sent { sent } else { with_parameters(sent, &mut scratch).unwrap_or(self.path) };
        rewrite_path(rewrite, &self.rule.path, self.path, with_parameters, out);
    }

    /// Fields for the next hop only are left out (RFC 9110 §7.6.1), then come our own fields and the rule's edits.
    fn write_fields(&self, out: &mut Vec<u8>) {
        let RequestText { head, bytes } = self.request;
        let edits = &self.rule.request_fields;
        let passage = self.passage();
        let max_forwards = passage.max_forwards();
        self.write_host(out);
        let is_length_plain = encode::is_plain_length(self.request.text(head.length_value()));
        match head.fields_together(ALWAYS_PASSED_ON) {
            Some(lines)
                if is_length_plain
                    && edits.is_empty()
                    && passage.identity_fields().is_empty()
                    && max_forwards.is_none()
                    && self.cookies == CookieEdit::Nothing
                    && !passage.has_evading_field() =>
            {
                out.extend_from_slice(self.request.text(lines));
            }
            _ => {
                let keep = |field: &Field| {
                    (is_length_plain || !field.is(Known::ContentLength)) && passage.passes_on(field, edits)
                };
                match self.cookies {
                    CookieEdit::Nothing => encode::copy_fields(out, bytes, head.fields(), keep),
                    edit => self.copy_fields(edit, keep, out),
                }
            }
        }
        if !is_length_plain {
            encode::write_length(out, self.request.text(head.length_value()));
        }
        passage.write_ours(out);
        if let Some(left) = max_forwards.filter(|_| !is_edited(edits, MAX_FORWARDS)) {
            out.extend_from_slice(b"Max-Forwards: ");
            encode::write_decimal(out, left);
            out.extend_from_slice(b"\r\n");
        }
        out.extend_from_slice(b"X-Request-Id: ");
        out.extend_from_slice(self.id);
        out.extend_from_slice(b"\r\n");
        write_edits(edits, out);
    }

    fn copy_fields(&self, edit: CookieEdit<'_>, keep: impl Fn(&Field) -> bool, out: &mut Vec<u8>) {
        let request = self.request;
        for field in request.head.fields().iter().filter(|field| keep(field)) {
            match field.known {
                Known::Cookie => edit.write(request.text(field.name), request.text(field.value), out),
                _ => out.extend_from_slice(request.text(field.line)),
            }
        }
    }

    fn passage(&self) -> Passage<'_> {
        let Self { plan, arrival, source, request, .. } = *self;
        Passage { plan, arrival, source, request }
    }

    /// `Host` comes first (RFC 9110 §7.2) where the client sent none: in HTTP/1.0, or with an absolute target, whose
    /// authority it then has.
    fn write_host(&self, out: &mut Vec<u8>) {
        let is_set = |(name, _): &(String, String)| name.eq_ignore_ascii_case("host");
        let head = self.request.head;
        if head.fields_of(Known::Host).next().is_some() || self.rule.request_fields.set.iter().any(is_set) {
            return;
        }
        out.extend_from_slice(b"Host: ");
        match head.host() {
            Some(host) => out.extend_from_slice(self.request.text(host)),
            None => out.extend_from_slice(self.target.to_string().as_bytes()),
        }
        out.extend_from_slice(b"\r\n");
    }
}

/// Also an OPTIONS request for an absolute target without a path.
fn is_asterisk(head: &RequestHead) -> bool {
    head.target_form() == TargetForm::Asterisk
        || (head.method() == Method::Options && head.path().is_empty() && head.query().is_none())
}

/// Known names that [`Passage::passes_on`] always lets pass. A head with no other known names is copied in one
/// piece.
const ALWAYS_PASSED_ON: Names = Names::of(&[
    Known::Host,
    Known::Accept,
    Known::Cookie,
    Known::Referer,
    Known::UserAgent,
    Known::ContentLength,
]);
