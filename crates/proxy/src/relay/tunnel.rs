//! A tunnel: bytes go both ways unchanged until one side is gone, nothing has moved for too long, or its lifetime is over.
//!
//! [`relay_bytes`] moves bytes. [`relay_frames`] also follows the frames of a WebSocket, so that a Ping or a Close of ours
//! can go between two of them.

mod attend;
mod bytes;
mod ends;
mod frames;
mod state;
#[cfg(test)]
mod tests;

pub(crate) use attend::Attendance;
pub(crate) use bytes::{relay_both, relay_bytes};
pub(crate) use ends::{Broken, Tunnel};
pub(crate) use frames::relay_frames;
