//! The algorithms that choose a target of a group (BAL1).
//!
//! Step `pick` of `proxy::http` calls them. A target is an index in the group's list. `usable` says whether it
//! may get the request: it is healthy, not passed over, and was not tried before by this request. A target with
//! weight 0 is never chosen.

mod least;
mod maglev;
mod random_two;
mod rendezvous;
mod smooth;

pub use least::least_connections;
pub use maglev::Maglev;
pub use random_two::RandomTwo;
pub use rendezvous::rendezvous;
pub use smooth::SmoothWeighted;

use std::cmp::Ordering;

/// Compares the load of two targets with non-zero weights: requests in flight per weight, without a division.
fn compare_load(a: (u32, u32), b: (u32, u32)) -> Ordering {
    let ((flight_a, weight_a), (flight_b, weight_b)) = (a, b);
    (u64::from(flight_a) * u64::from(weight_b)).cmp(&(u64::from(flight_b) * u64::from(weight_a)))
}
