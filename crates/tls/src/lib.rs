//! Certificates and handshakes: what is read from an operator's files, what of it is wrong, which certificate a client
//! gets, who a client is. No sockets: bytes come in and go out as slices; time is an argument.

mod asn1;
mod client_auth;
pub mod crl;
mod fields;
mod identity;

pub use client_auth::{ClientPolicy, Problem, fingerprint_of_policy, without_resumption};
pub use crl::{Crl, CrlError};
pub use identity::{Identity, Unreadable, write_headers};
