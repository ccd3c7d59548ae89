//! Session persistence: from what a request carries to the target that it prefers, and what the response must carry
//! (SP1–SP8).
//!
//! [`PersistencePlan`] is compiled with a group or rule. [`see()`] reads the mark of a session from a request. A cookie of
//! ours says by itself where the session is; addresses and cookies of targets are looked up in a [`SessionTable`], which
//! all workers of the process share. `http/persist.rs` tells the step.

mod lease;
mod plan;
mod scope;
pub(crate) mod seal;
mod see;
mod table;

pub(crate) use lease::Lease;
pub use plan::shared_lifetime;
pub(crate) use plan::{CookiePlan, Keeper, MarkPlan, PersistencePlan, Scope};
pub use scope::{OpenedCookie, SessionMark, SessionScope};
pub(crate) use see::{Facts, Sight, hash_of, learned_key, see};
pub use table::{Link, SessionTable};
