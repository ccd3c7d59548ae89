//! Translates between HTTP/2 on the network and HTTP/1.1 text inside (RFC 9113).
//!
//! A client's connection has a task, [`serve_http2`]. Each of its streams has a task that serves one request, with a
//! [`ClientStream`] instead of a socket. Requests to a target are sent on [`TargetStream`]s of the connections in
//! [`Connections`]. `proto::http2` translates heads and bodies. The crate `h2` reads and writes the frames; its I/O is
//! [`io::Io`].

mod client_stream;
mod incoming;
mod io;
mod outgoing;
mod serve;
mod shared;
mod stream_write;
mod target;
mod target_stream;
mod websocket;

pub(crate) use client_stream::ClientStream;
pub(crate) use serve::serve_http2;
pub(crate) use stream_write::StreamWrite;
pub use target::HEADER_LIST_BYTES_MAX as HTTP2_HEADER_LIST_BYTES_MAX;
pub(crate) use target::{Connections, DriverHandle, drive};
pub(crate) use target_stream::TargetStream;

use std::io::{Error, ErrorKind};

use proto::http2::Malformed;

/// Converts an error of `h2` to the error that a socket would return.
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
