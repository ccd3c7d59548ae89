//! Sessions of the data plane in a store that several nodes share (SP9): names and values of the items, and what stands
//! between workers and the store.
//!
//! A worker asks through a [`SessionClient`] and waits as long as it wants to; [`serve`] works on the control plane's
//! runtime. The first node to claim a session decides its target; later changes are made by compare-and-set, so all
//! nodes end with the same target. A node with an older one in its table learns the present one with its next touch, which
//! is soon where [`Marks`] have changed.

mod client;
mod corrections;
mod figures;
mod marks;
mod name;
mod record;
mod service;
mod touches;
mod writes;

#[cfg(test)]
mod tests;

pub use client::{Answer, SessionClient, SessionName, SessionRequests, Touched, session_channel};
pub use corrections::Corrections;
pub use figures::SessionFigures;
pub use marks::Marks;
pub use name::store_key;
pub use record::Record;
pub use service::serve;
