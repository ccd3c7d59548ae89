//! Whether a request may come over its connection: in plain text or under TLS, for a host that the handshake covers, from
//! a client whose certificate is allowed (TLS2, TLS4, MT3, MT4).

use std::borrow::Cow;

use model::Failure;

use super::question::Question;
use crate::arrival::Security;
use crate::failed::Failed;
use crate::snapshot::{ListenerPlan, ServicePlan, TlsPlan};
use crate::stream::TlsFacts;

/// The proof that the request may come over its connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Authorized(());

pub(super) fn authorize(question: &Question<'_>) -> Result<Authorized, Failed> {
    if question.plan.service != ServicePlan::Http {
        // A reload has given the address to TCP, whose rules say nothing about requests.
        return Err(Failed { failure: Failure::NoRule, detail: "the listener does not serve HTTP" });
    }
    match (&question.plan.tls, &question.arrival.security) {
        // A reload may have taken TLS off the listener: connections that have it are served until they close.
        (None, _) => Ok(Authorized(())),
        (Some(_), Security::PlainOnTls) => Err(Failure::PlainHttp.into()),
        // A reload has put TLS on the listener: a plain connection from before may not go on.
        (Some(_), Security::Plain) => Err(Failed { failure: Failure::PlainHttp, detail: "before a reload" }),
        (Some(plan), Security::Tls(tls_facts)) => check_host_and_client(question, plan, tls_facts),
    }
}

fn check_host_and_client(
    question: &Question<'_>,
    plan: &TlsPlan,
    tls_facts: &TlsFacts,
) -> Result<Authorized, Failed> {
    let name = std::str::from_utf8(question.request.host_name()).unwrap_or_default();
    if !plan.acceptor.may_serve(&in_lower_case(name), &tls_facts.host, tls_facts.has_sent_name) {
        return Err(Failure::Misdirected.into());
    }
    check_client(tls_facts)
}

/// Whether a TCP connection may come in as it did.
pub(super) fn authorize_connection(plan: &ListenerPlan, security: &Security) -> Result<Authorized, Failed> {
    match (&plan.tls, security) {
        (None, _) => Ok(Authorized(())),
        (Some(_), Security::Tls(tls_facts)) => check_client(tls_facts),
        // A reload has put TLS on the listener in the meantime.
        (Some(_), Security::Plain | Security::PlainOnTls) => Err(Failure::PlainHttp.into()),
    }
}

/// Whether the client's certificate is allowed.
fn check_client(tls_facts: &TlsFacts) -> Result<Authorized, Failed> {
    let Some(rules) = &tls_facts.host.client else { return Ok(Authorized(())) };
    if rules.auth.allow.is_empty() {
        return Ok(Authorized(()));
    }
    match &tls_facts.identity {
        Some(identity) if identity.matches(&rules.auth.allow) => Ok(Authorized(())),
        Some(_) => Err(Failure::ClientCertificateDenied.into()),
        None => Err(Failed { failure: Failure::ClientCertificateDenied, detail: "no certificate" }),
    }
}

/// Copies a name only if it has upper case, which is rare.
fn in_lower_case(name: &str) -> Cow<'_, str> {
    if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
        name.to_ascii_lowercase().into()
    } else {
        name.into()
    }
}
