//! Pure decisions: which rule a request matches, which target it goes to, whether a target is healthy.
//!
//! Crate `proxy` calls these on the workers; crate `control` passes probe results. Nothing here does I/O, reads
//! a clock, locks or shares: time and randomness are arguments, so every decision can be replayed from a seed.
//! What workers must share for a decision is a type parameter ([`connection_limit::Cells`]).
//! Times are milliseconds since an arbitrary start, which the caller must not change, unless a function says otherwise.

mod access;
mod algorithm;
pub mod connection_limit;
pub mod connection_table;
mod hash;
mod health;
mod idle_limit;
mod interim_budget;
mod pass_over;
mod random;
mod rules;
pub mod session;

pub use access::AddressTable;
pub use algorithm::{Maglev, RandomTwo, SmoothWeighted, least_connections, rendezvous};
pub use hash::{hash_address, hash_bytes, hash_source};
pub use health::{Health, HealthState, ProbeResult, Transition, fail_open, first_probe, next_probe};
pub use idle_limit::IdleLimit;
pub use interim_budget::InterimBudget;
pub use pass_over::{PassOver, pass_over_millis};
pub use random::Rng;
pub use rules::{Match, Mismatch, RequestView, RuleTable, mismatch, rewrite_path};
