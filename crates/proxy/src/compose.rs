//! Composes the heads that we send: requests to targets, and every response to a client.
//!
//! Pure: bytes from plans, facts and parsed heads. There is one composer for each direction, so that a field for every
//! response, or an edit of every request, is added in one place.

mod edits;
mod forwarded;
pub(crate) mod grpc;
mod page;
mod passage;
mod reply;
mod request;
mod response;
mod session;
mod via;

pub(crate) use edits::is_edited;
pub(crate) use passage::Passage;
pub(crate) use request::RequestComposer;
pub(crate) use response::{ResponseComposer, Shape};
pub(crate) use session::{CookieEdit, SessionField};

#[cfg(test)]
mod tests;
