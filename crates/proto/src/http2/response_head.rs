//! Converts a response that `proxy` has written as text, for a client's stream (RFC 9113 §8.3.2).

use http::{Response, StatusCode, header};

use super::{Framing, Malformed, OWN_LIMITS, append, malformed};
use crate::http1::{Known, Method, Progress, ResponseBody, ResponseHead, token};

/// A head, and the offset where the next head or the body starts.
#[derive(Debug)]
pub struct ClientResponse {
    /// Interim if its status is informational: another head follows.
    pub response: Response<()>,
    pub framing: Framing,
    pub head_bytes: usize,
}

/// Reads the head at the start of `bytes`; `None`: it is incomplete. `head` is reused.
///
/// `accept`: the required value of `Sec-WebSocket-Accept`, if the request was an extended CONNECT (RFC 8441 §5).
///
/// # Errors
/// A head that a client could misread.
pub fn read_response(
    head: &mut ResponseHead,
    bytes: &[u8],
    request_method: Method,
    accept: Option<&[u8]>,
) -> Result<Option<ClientResponse>, Malformed> {
    let parsed = head.parse(bytes, &OWN_LIMITS).map_err(|error| Malformed { detail: error.detail })?;
    let Progress::Complete { head_bytes } = parsed else { return Ok(None) };
    let status = head.status();
    let (status, framing) = match (status, accept) {
        (101, Some(accept)) => {
            check_accept(head, bytes, accept)?;
            (200, Framing::Raw)
        }
        (101, None) => return malformed("101 in HTTP/2"),
        // It would open the tunnel (RFC 8441 §4).
        (200..300, Some(_)) => return malformed("a response to a WebSocket that would open it"),
        (100..200, _) => (status, Framing::None),
        _ => (status, framing_of(head, request_method)),
    };
    let mut response = Response::new(());
    *response.status_mut() = StatusCode::from_u16(status).map_err(|_| Malformed { detail: "status" })?;
    let is_tunnel = framing == Framing::Raw && accept.is_some();
    copy_fields(head, bytes, is_tunnel, response.headers_mut())?;
    head.clear();
    Ok(Some(ClientResponse { response, framing, head_bytes }))
}

fn framing_of(head: &ResponseHead, request_method: Method) -> Framing {
    match head.body_length(request_method) {
        ResponseBody::None => Framing::None,
        ResponseBody::Length(length) => Framing::Length(length),
        ResponseBody::Chunked => Framing::Chunked,
        ResponseBody::UntilClose => Framing::Raw,
    }
}

fn copy_fields(
    head: &ResponseHead,
    bytes: &[u8],
    is_tunnel: bool,
    fields: &mut http::HeaderMap,
) -> Result<(), Malformed> {
    fields.reserve(head.fields().len());
    for field in head.fields() {
        let is_for_hop = field.named_by_connection || (!field.alias && field.known.is_hop_by_hop());
        let name = field.name.of(bytes);
        let is_left_out = is_for_hop || is_tunnel && (field.is(Known::ContentLength) || is_accept(name));
        if !is_left_out {
            append(fields, name, field.value.of(bytes))?;
        }
    }
    Ok(())
}

/// HTTP/2 does not need the proof of the target's handshake, but it must be correct.
fn check_accept(head: &ResponseHead, bytes: &[u8], accept: &[u8]) -> Result<(), Malformed> {
    let mut proofs = head.fields().iter().filter(|field| is_accept(field.name.of(bytes)));
    match (proofs.next(), proofs.next()) {
        (Some(proof), None) if proof.value.of(bytes) == accept => Ok(()),
        _ => malformed("101 with a wrong Sec-WebSocket-Accept"),
    }
}

fn is_accept(name: &[u8]) -> bool {
    token::eq_ignore_case(name, header::SEC_WEBSOCKET_ACCEPT.as_str().as_bytes())
}
