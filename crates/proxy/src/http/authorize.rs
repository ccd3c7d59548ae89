//! Whether a request may come over its connection at all: in plain text or under TLS, for a host that the handshake
//! was about, from a client that is on the list (TLS2, TLS4, MT3, MT4).

use std::borrow::Cow;

use model::Failure;
use net::Sys;

use super::Failed;
use super::request::Request;
use crate::connection::Client;
use crate::snapshot::TlsPlan;
use crate::stream::Tls;

/// The proof that the request may come over its connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Authorized(());

pub(super) fn authorize<S: Sys>(request: &Request<S>, client: &Client<S>) -> Result<Authorized, Failed> {
    match (&request.listener.plan.tls, client.tls()) {
        // TLS where there is none now is what a reload has made of it: it is served until it closes.
        (None, _) => Ok(Authorized(())),
        (Some(_), None) if client.is_plain => Err(Failure::PlainHttp.into()),
        (Some(plan), Some(tls)) => secure(request, plan, tls),
        // Who came before a reload made it TLS may not go on without.
        (Some(_), None) => Err(Failed { failure: Failure::PlainHttp, detail: "before a reload" }),
    }
}

fn secure<S: Sys>(request: &Request<S>, plan: &TlsPlan, tls: &Tls) -> Result<Authorized, Failed> {
    let Some(agreed) = tls.agreed() else {
        return Err(Failed { failure: Failure::Misdirected, detail: "no host was agreed on" });
    };
    let name = request.head().host_name().map(|span| request.text(span)).unwrap_or_default();
    let name = std::str::from_utf8(name.strip_suffix(b".").unwrap_or(name)).unwrap_or_default();
    if !plan.acceptor.may_serve(&in_lower_case(name), &agreed.host) {
        return Err(Failure::Misdirected.into());
    }
    let Some(rules) = &agreed.host.client else { return Ok(Authorized(())) };
    if rules.auth.allow.is_empty() {
        return Ok(Authorized(()));
    }
    match &agreed.identity {
        Some(identity) if identity.matches(&rules.auth.allow) => Ok(Authorized(())),
        Some(_) => Err(Failure::ClientCertificateDenied.into()),
        None => Err(Failed { failure: Failure::ClientCertificateDenied, detail: "no certificate" }),
    }
}

/// Names come in lower case, but for a few: those alone are copied.
fn in_lower_case(name: &str) -> Cow<'_, str> {
    if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
        name.to_ascii_lowercase().into()
    } else {
        name.into()
    }
}
