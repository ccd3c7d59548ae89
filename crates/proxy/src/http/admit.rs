//! Checks that a request may have what its rule does. Only what was admitted can be given to a target.

use model::Failure;
use net::Sys;
use proto::http1::BodyLength;

use super::body::BodyReader;
use super::request::Request;
use super::{Failed, handshake, screen, via};
use crate::snapshot::ActionPlan;

/// The proof that a request was admitted, with what the checks found.
#[derive(Clone, Copy, Debug)]
pub(super) struct Admitted {
    pub(super) rule: usize,
    pub(super) body: BodyLength,
    pub(super) body_bytes_max: Option<u64>,
}

impl Admitted {
    pub(super) fn body_reader(&self) -> BodyReader {
        BodyReader::of_request(self.body, self.body_bytes_max)
    }
}

pub(super) fn admit<S: Sys>(request: &mut Request<S>, rule: usize) -> Result<Admitted, Failed> {
    let plan = &request.listener.plan;
    screen::check(request, plan.rules[rule].access.as_deref(), "by the rule")?;
    let is_forwarded = matches!(plan.rules[rule].action, ActionPlan::Forward { .. });
    if is_forwarded {
        via::refuse_loop(request)?;
    }
    let body_bytes_max = plan.http.limits.body_bytes;
    let body = request.head().body();
    // What we answer ourselves does not need the body, however long it is.
    if let (BodyLength::Length(length), Some(max)) = (body, body_bytes_max)
        && length > max
        && is_forwarded
    {
        return Err(Failed { failure: Failure::RequestBodyTooLarge, detail: "declared length" });
    }
    if request.asks_for_websocket() {
        handshake::admit(request, rule)?;
    }
    Ok(Admitted { rule, body, body_bytes_max })
}
