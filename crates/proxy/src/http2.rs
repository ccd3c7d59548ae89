//! HTTP/2 at the edges of the story (RFC 9113).
//!
//! A client's connection is a task of its own, [`serve_http2`]; each of its streams is a task that runs the story of one
//! request, with a [`ClientStream`] in the place of a socket. Heads and bodies are translated by `proto::http2`, frames
//! are the business of the crate `h2`, which does its I/O through [`io::Io`]. To a target, requests go by
//! [`TargetStream`]s of the connections in [`Connections`].

mod client_stream;
mod incoming;
mod io;
mod link;
mod outgoing;
mod serve;
mod target;
mod target_stream;
mod websocket;
mod writes;

pub(crate) use client_stream::ClientStream;
pub(crate) use serve::serve_http2;
pub(crate) use target::{Connections, Opening, drive};
pub(crate) use target_stream::TargetStream;
pub(crate) use writes::Writes;

use std::io::{Error, ErrorKind};

use proto::http2::Malformed;

/// What an error of the crate means to the story.
fn to_io(error: h2::Error) -> Error {
    match error.reason() {
        _ if error.is_io() => error.into_io().unwrap_or_else(|| ErrorKind::ConnectionAborted.into()),
        Some(_) => ErrorKind::ConnectionReset.into(),
        None => ErrorKind::ConnectionAborted.into(),
    }
}

fn invalid(malformed: Malformed) -> Error {
    Error::new(ErrorKind::InvalidData, malformed.detail)
}
