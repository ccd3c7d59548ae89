//! Checks that a request may have what its rule does. Only an admitted request can be given to a target.

use model::Failure;
use proto::http1::{BodyLength, Known, token};

use super::access::Permitted;
use super::decision::Forward;
use super::question::Question;
use super::websocket;
use crate::failed::Failed;

/// Only for rules that forward: replies of ours need none of this.
pub(super) fn admit(question: &Question<'_>, permitted: Permitted) -> Result<Forward, Failed> {
    let Question { plan, request, .. } = question;
    refuse_loop(question)?;
    let (body, body_bytes_max) = (request.head.body(), plan.http.limits.body_bytes);
    if let (BodyLength::Length(length), Some(max)) = (body, body_bytes_max)
        && length > max
    {
        return Err(Failed { failure: Failure::RequestBodyTooLarge, detail: "declared length" });
    }
    let is_websocket = request.asks_for_websocket();
    if is_websocket {
        websocket::check(&plan.rules[permitted.rule].websocket, *request)?;
    }
    // A target that merges trailers into the head would take one for what only we say about the client (MT3).
    let identifies = plan.tls.as_ref().is_some_and(|tls| !tls.identity_fields.is_empty());
    let drops_trailers = identifies || request.head.lists_fields();
    Ok(Forward { rule: permitted.rule, body, body_bytes_max, is_websocket, drops_trailers })
}

/// Refuses a request whose `Via` shows that it has passed us before (RFC 9110 §7.6.3): it would do so without end.
fn refuse_loop(question: &Question<'_>) -> Result<(), Failed> {
    let Some(name) = &question.plan.http.via else { return Ok(()) };
    let request = question.request;
    let mut lists = request.head.fields_of(Known::Via).map(|field| request.text(field.value));
    if lists.any(|list| token::list(list).any(|element| is_by(element, name.as_bytes()))) {
        return Err(Failure::RequestLoop.into());
    }
    Ok(())
}

/// Whether an element of `Via`, such as `1.1 name (comment)`, names this proxy.
fn is_by(element: &[u8], name: &[u8]) -> bool {
    let mut words = element.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    words.nth(1).is_some_and(|by| token::eq_ignore_case(by, name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_element_of_via_names_a_proxy() {
        for (element, expected) in [
            ("1.1 edge", true),
            ("1.0 Edge", true),
            ("HTTP/1.1 \t edge (a comment)", true),
            ("1.1 edge:80", false),
            ("1.1 edge2", false),
            ("edge", false),
            ("1.1 other (edge)", false),
            ("", false),
        ] {
            assert_eq!(is_by(element.as_bytes(), b"edge"), expected, "{element:?}");
        }
    }
}
