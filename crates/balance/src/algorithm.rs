//! How a target is chosen among those of a group (BAL1).
//!
//! Step `pick` of `proxy::http` asks. A target is the place in the group's list; `usable` says whether it may get
//! the request: healthy, not passed over, not tried before by this request. A target of weight 0 is never chosen.

mod least;
mod maglev;
mod random_two;
mod smooth;

pub use least::least_connections;
pub use maglev::Maglev;
pub use random_two::RandomTwo;
pub use smooth::SmoothWeighted;

use std::cmp::Ordering;

/// Compares how loaded two targets of non-zero weight are: requests in flight per weight, without a division.
fn compare_load(a: (u32, u32), b: (u32, u32)) -> Ordering {
    let ((flight_a, weight_a), (flight_b, weight_b)) = (a, b);
    (u64::from(flight_a) * u64::from(weight_b)).cmp(&(u64::from(flight_b) * u64::from(weight_a)))
}
