//! The two directions of an HTTP/2 stream, for clients and targets.

use std::future::poll_fn;

use bytes::Bytes;
use h2::{Error, Reason, RecvStream, SendStream};
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::message::Message;
use crate::runtime::wait;

/// The sending direction. It waits for the peer's window.
pub(crate) struct Outgoing(pub(crate) SendStream<Bytes>);

impl Outgoing {
    pub(crate) fn send(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let mut rest = Bytes::copy_from_slice(bytes);
        wait("the peer's window", async {
            while !rest.is_empty() {
                self.0.reserve_capacity(rest.len());
                let room = poll_fn(|context| self.0.poll_capacity(context)).await;
                let room = room.unwrap_or_else(|| Err(Reason::STREAM_CLOSED.into()))?;
                self.0.send_data(rest.split_to(room.min(rest.len())), false)?;
            }
            Ok(())
        })
    }

    pub(crate) fn end(&mut self) -> Result<(), Error> {
        self.0.send_data(Bytes::new(), true)
    }

    pub(crate) fn end_with_trailers(&mut self, trailers: &[(&str, &str)]) -> Result<(), Error> {
        self.0.send_trailers(fields(trailers))
    }

    pub(crate) fn reset(&mut self, reason: Reason) {
        self.0.send_reset(reason);
    }

    /// Waits until the peer resets the stream.
    pub(crate) fn wait_reset(&mut self) -> Result<Reason, Error> {
        wait("a reset by the peer", poll_fn(|context| self.0.poll_reset(context)))
    }
}

/// The receiving direction. Reading releases window capacity.
pub(crate) struct Incoming(pub(crate) RecvStream);

impl Incoming {
    /// Reads a part; empty at the end.
    pub(crate) fn read(&mut self) -> Result<Vec<u8>, Error> {
        loop {
            let Some(bytes) = wait("bytes of a body", self.0.data()).transpose()? else {
                return Ok(Vec::new());
            };
            self.0.flow_control().release_capacity(bytes.len())?;
            if !bytes.is_empty() {
                return Ok(bytes.to_vec());
            }
        }
    }

    /// Reads to the end, including trailers.
    pub(crate) fn finish(&mut self, message: &mut Message) -> Result<(), Error> {
        loop {
            match self.read()? {
                bytes if bytes.is_empty() => break,
                bytes => {
                    message.body.extend(bytes);
                    message.chunks += 1;
                }
            }
        }
        let trailers = wait("trailers", self.0.trailers())?;
        message.trailers =
            trailers.iter().flat_map(pairs).map(|(name, value)| format!("{name}: {value}")).collect();
        message.is_complete = true;
        Ok(())
    }
}

pub(crate) fn fields(pairs: &[(&str, &str)]) -> HeaderMap {
    let field = |(name, value): &(&str, &str)| {
        (HeaderName::try_from(*name).unwrap(), HeaderValue::try_from(*value).unwrap())
    };
    pairs.iter().map(field).collect()
}

pub(crate) fn pairs(fields: &HeaderMap) -> Vec<(String, String)> {
    fields
        .iter()
        .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
        .collect()
}
