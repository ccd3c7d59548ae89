//! Targets: choosing one, connecting to it, keeping its idle connections, and deciding about another attempt.
//!
//! Nothing here knows an HTTP request. A choice takes a key, an optional preferred target and the tried ones; a retry is
//! decided from facts about the failed attempt.

mod choose;
mod connect;
mod group;
mod pool;
mod retry;
mod tell;

pub(crate) use choose::{Ask, Choice, Tried, Unavailable, choose};
pub(crate) use connect::{InFlight, connect, connect_http2, establish, make_room, on_connect, secure};
pub(crate) use group::LocalGroup;
pub(crate) use pool::{LocalTarget, TargetConnection};
pub(crate) use retry::{Attempts, Missed, Repeatable, is_kept};
pub(crate) use tell::{attempt_failed, note_connected, note_not_connected};
