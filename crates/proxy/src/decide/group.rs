//! Which of its groups a rule forwards to, and by which key a target of the group is chosen.

use balance::{SmoothWeighted, hash_bytes, hash_source};
use model::{Algorithm, HashKey};

use crate::arrival::Source;
use crate::head::RequestText;
use crate::snapshot::ActionPlan;

/// The group whose turn it is by the weights of the rule, as its index in the listener's groups. `turn` is the rule's cursor.
pub(crate) fn choose_group(action: &ActionPlan, turn: &mut SmoothWeighted) -> Option<usize> {
    let ActionPlan::Forward { groups, .. } = action else { return None };
    let choice = if groups.len() == 1 { 0 } else { turn.pick(|_| true)? };
    groups.get(choice).copied()
}

/// The key for algorithms that hash: of the header that the group names if the request has it, else of the source.
pub(crate) fn choice_key(algorithm: &Algorithm, request: Option<RequestText<'_>>, source: Source) -> u64 {
    let value = match algorithm {
        Algorithm::WeightedRoundRobin | Algorithm::LeastConnections | Algorithm::RandomTwo => return 0,
        Algorithm::Hash(HashKey::Header(name)) => {
            request.and_then(|request| request.values(name.as_bytes()).next())
        }
        Algorithm::SourceIpHash => None,
    };
    value.map_or_else(|| hash_source(source.address), hash_bytes)
}
