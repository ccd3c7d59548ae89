//! Compression of responses (RFC 9110 §8.4, §12.5.3): whether one is compressed and how ([`negotiate`], [`Survey`]),
//! what its head then says ([`HeadEdits`]), and the streams themselves ([`Encoder`], [`Encoders`]).
//!
//! `proxy` asks when the head of a target's response is here. What is compressed is another representation than the
//! target's: its length, digests, ranges and strong validator do not hold for it.

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
