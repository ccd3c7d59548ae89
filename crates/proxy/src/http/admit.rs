//! Checks that a request may have what its rule does. Only what was admitted can be given to a target.

use model::Failure;
use net::Sys;
use proto::http1::BodyLength;

use super::body::BodyReader;
use super::request::Request;
use super::screen::Permitted;
use super::{Failed, via, websocket};

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

/// Only for rules that forward: what we answer ourselves needs none of this.
pub(super) fn admit<S: Sys>(request: &mut Request<S>, permitted: Permitted) -> Result<Admitted, Failed> {
    via::refuse_loop(request)?;
    let body_bytes_max = request.listener.plan.http.limits.body_bytes;
    let body = request.head().body();
    if let (BodyLength::Length(length), Some(max)) = (body, body_bytes_max)
        && length > max
    {
        return Err(Failed { failure: Failure::RequestBodyTooLarge, detail: "declared length" });
    }
    if request.asks_for_websocket() {
        websocket::admit(request, permitted.rule)?;
    }
    Ok(Admitted { rule: permitted.rule, body, body_bytes_max })
}
