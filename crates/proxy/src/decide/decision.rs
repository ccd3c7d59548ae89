//! What a decision says.

use proto::http1::BodyLength;

use crate::failed::Failed;

/// What happens to a request, and how that was found.
#[derive(Debug)]
pub(crate) struct Decision {
    /// The path by which rules match, where it differs from the path as sent.
    pub(crate) normal_path: Option<Vec<u8>>,
    /// The rule that matched, as its index in the plan; also where a later step refused the request.
    pub(crate) rule: Option<usize>,
    pub(crate) verdict: Verdict,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The failure says why.
    Refuse(Failed),
    /// The rule answers by itself; see [`ready`](super::ready()).
    Reply { rule: usize },
    /// The rule gives the request to one of its groups.
    Forward(Forward),
}

/// An admitted request. Only what [`decide`](super::decide()) admits can be given to a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Forward {
    pub(crate) rule: usize,
    pub(crate) body: BodyLength,
    pub(crate) body_bytes_max: Option<u64>,
    /// It opens one of the rule's WebSockets, which are limited.
    pub(crate) is_websocket: bool,
    /// Trailers are not passed on.
    pub(crate) drops_trailers: bool,
}
