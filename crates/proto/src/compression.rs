//! Compression of responses (RFC 9110 §8.4, §12.5.3): whether and how a response is compressed ([`negotiate`],
//! [`Survey`]), how its head changes ([`HeadEdits`]), and the encoders ([`Encoder`], [`Encoders`]).
//!
//! `proxy` asks when the head of a target's response has arrived. The compressed response is a different representation
//! from the target's, so the target's length, digests, ranges and strong validator do not apply to it.

mod accept;
mod edits;
mod encoder;
mod encoders;
mod survey;

pub use accept::negotiate;
pub use edits::{HeadEdits, keep_trailers};
pub use encoder::{EncodeError, Encoder, Op, Step};
pub use encoders::Encoders;
pub use survey::{Survey, forbids_transform};
