//! The opening handshake of a WebSocket (RFC 6455 §4), as far as the rule has a say in it. Nothing of it is changed.

use std::rc::Rc;

use model::{Failure, OriginPattern};
use net::Sys;
use proto::http1::{Field, token};

use super::Failed;
use super::request::Request;

/// Whether the client may ask for it. From here on it counts as one of the rule's tunnels.
pub(super) fn admit<S: Sys>(request: &mut Request<S>, rule: usize) -> Result<(), Failed> {
    let listener = Rc::clone(&request.listener);
    let plan = &listener.plan.rules[rule];
    let websocket = &plan.websocket;
    if !websocket.enabled {
        return Err(Failure::WebSocketDisabled.into());
    }
    check_origin(request, &websocket.allowed_origins)?;
    check_subprotocol(request, &websocket.allowed_subprotocols)?;
    if let Some(live) = &plan.live {
        request.lease = Some(live.lease(websocket.max_connections).ok_or(Failure::WebSocketFull)?);
    }
    Ok(())
}

/// Whether the target's 101 is one that the rule allows: with at most one subprotocol, which was offered.
/// `head_bytes` are those of the 101.
pub(super) fn may_switch<S: Sys>(request: &Request<S>, rule: usize, head_bytes: &[u8]) -> bool {
    let allowed = &request.listener.plan.rules[rule].websocket.allowed_subprotocols;
    if allowed.is_empty() {
        return true;
    }
    let mut chosen = values(request.heads.response.fields(), head_bytes, PROTOCOL).flat_map(token::list);
    // None at all is the client's to judge.
    let Some(name) = chosen.next() else { return true };
    chosen.next().is_none() && is_among(allowed, name) && offered(request).any(|one| one == name)
}

/// Browsers tell the page's origin, and pages cannot change it: what keeps other sites' pages from using this one's
/// cookies (RFC 6455 §10.2).
fn check_origin<S: Sys>(request: &Request<S>, allowed: &[OriginPattern]) -> Result<(), Failed> {
    if allowed.is_empty() {
        return Ok(());
    }
    let mut origins = values(request.head().fields(), request.bytes.bytes(), b"origin");
    let detail = match (origins.next(), origins.next()) {
        (None, _) => "no Origin",
        (Some(_), Some(_)) => "several Origins",
        (Some(origin), None) if allowed.iter().any(|pattern| pattern.matches(origin)) => return Ok(()),
        (Some(_), None) => "another Origin",
    };
    Err(Failed { failure: Failure::WebSocketOrigin, detail })
}

fn check_subprotocol<S: Sys>(request: &Request<S>, allowed: &[String]) -> Result<(), Failed> {
    let mut offered = offered(request);
    if allowed.is_empty() || offered.any(|name| is_among(allowed, name)) {
        return Ok(());
    }
    Err(Failure::WebSocketSubprotocol.into())
}

fn offered<S: Sys>(request: &Request<S>) -> impl Iterator<Item = &[u8]> {
    values(request.head().fields(), request.bytes.bytes(), PROTOCOL).flat_map(token::list)
}

fn values<'a>(fields: &'a [Field], bytes: &'a [u8], name: &'static [u8]) -> impl Iterator<Item = &'a [u8]> {
    let named = move |field: &&Field| token::eq_ignore_case(field.name.of(bytes), name);
    fields.iter().filter(named).map(|field| field.value.of(bytes))
}

fn is_among(allowed: &[String], name: &[u8]) -> bool {
    allowed.iter().any(|one| one.as_bytes() == name)
}

const PROTOCOL: &[u8] = b"sec-websocket-protocol";
