//! Decides what happens to a request: may it come, which rule matches, what that rule does, to which group it goes.
//!
//! Pure functions over the plan of a listener, the facts of the connection ([`Arrival`]) and the request's head. No
//! stream, no clock, no counters: traffic, tests and explanations ask the same functions. [`decide`] tells them in their
//! order; each step returns a proof that the next one takes, so none can be left out.
//!
//! ```text
//! authorize → screen → route → permit → (ready reply) → admit
//! ```
//!
//! [`Arrival`]: crate::arrival::Arrival

mod access;
mod admit;
mod authorize;
mod caller;
mod decision;
mod explain;
mod group;
mod question;
mod ready;
mod route;
mod source;
mod steps;
mod tcp;
mod websocket;

pub(crate) use decision::{Decision, Forward, Verdict};
pub use explain::{Explanation, Outcome, explain};
pub(crate) use group::{choice_key, choose_group};
pub(crate) use question::Question;
pub(crate) use ready::{Ready, ready};
pub(crate) use source::find_source;
pub(crate) use steps::decide;
pub(crate) use tcp::{Agreement, TcpQuestion, agree, decide_tcp};
pub(crate) use websocket::may_switch;

#[cfg(test)]
mod tests;
