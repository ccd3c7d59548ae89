//! Moves bytes between two streams: a body in one direction ([`Flow`]), or a tunnel in both ([`Tunnel`]).
//!
//! Nothing here knows a request, a client or a target. Each end is an [`End`], which sets the deadlines, and the bytes
//! are counted in the exchange's [`Meter`].

mod body;
mod cut_off;
mod end;
mod flow;
mod meter;
mod pace;
mod send;
#[cfg(test)]
mod tests;
mod tunnel;

pub(crate) use body::{BodyFault, BodyReader, BodyWriter, write_chunk};
pub(crate) use cut_off::CutOff;
pub(crate) use end::End;
pub(crate) use flow::{Flow, FlowError};
pub(crate) use meter::{Meter, TunnelMeter};
pub(crate) use pace::Pace;
pub(crate) use send::{coalesce, send, send_now, send_rest, send_scratch};
pub(crate) use tunnel::{Attendance, Broken, Tunnel, relay_both, relay_bytes, relay_frames};
