//! The opening handshake of a WebSocket (RFC 6455 §4), as far as the rule decides about it. Nothing in it is changed.

use model::{Failure, OriginPattern, WebSocket};
use proto::http1::token;

use crate::failed::Failed;
use crate::head::{RequestText, ResponseText};

/// Whether the client may ask for a WebSocket. The number of open ones is a limit apart.
pub(super) fn check(websocket: &WebSocket, request: RequestText<'_>) -> Result<(), Failed> {
    if !websocket.enabled {
        return Err(Failure::WebSocketDisabled.into());
    }
    check_origin(&websocket.allowed_origins, request)?;
    let allowed = &websocket.allowed_subprotocols;
    if allowed.is_empty() || offered(request).any(|name| is_among(allowed, name)) {
        return Ok(());
    }
    Err(Failure::WebSocketSubprotocol.into())
}

/// Whether the target's 101 is one that the rule allows: with at most one subprotocol, which was offered.
pub(crate) fn may_switch(
    websocket: &WebSocket,
    request: RequestText<'_>,
    response: ResponseText<'_>,
) -> bool {
    let allowed = &websocket.allowed_subprotocols;
    if allowed.is_empty() {
        return true;
    }
    let mut chosen = response.values(SUBPROTOCOL).flat_map(token::list);
    // Whether a 101 without a subprotocol will do is up to the client.
    let Some(name) = chosen.next() else { return true };
    chosen.next().is_none() && is_among(allowed, name) && offered(request).any(|one| one == name)
}

/// Browsers send the page's origin, and a page cannot change it: this keeps pages of other sites from using this site's
/// cookies (RFC 6455 §10.2).
fn check_origin(allowed: &[OriginPattern], request: RequestText<'_>) -> Result<(), Failed> {
    if allowed.is_empty() {
        return Ok(());
    }
    let mut origins = request.values(b"origin");
    let detail = match (origins.next(), origins.next()) {
        (None, _) => "no Origin",
        (Some(_), Some(_)) => "several Origins",
        (Some(origin), None) if allowed.iter().any(|pattern| pattern.matches(origin)) => return Ok(()),
        (Some(_), None) => "another Origin",
    };
    Err(Failed { failure: Failure::WebSocketOrigin, detail })
}

fn offered(request: RequestText<'_>) -> impl Iterator<Item = &[u8]> {
    request.values(SUBPROTOCOL).flat_map(token::list)
}

fn is_among(allowed: &[String], name: &[u8]) -> bool {
    allowed.iter().any(|one| one.as_bytes() == name)
}

const SUBPROTOCOL: &[u8] = b"sec-websocket-protocol";
