//! Certificates and handshakes: what is read from an operator's files, what of it is wrong, which certificate a client
//! gets, who a client is. No sockets: bytes come in and go out as slices; time is an argument.

pub mod bundle;
mod names;
mod provider;
mod session;
mod ticket;

pub use bundle::{Bundle, Code, KeyKind, KnownRoots, Problem, Severity};
pub use names::distinguished_name;
pub use provider::provider;
pub use session::{Read, Session, sealed_len};
pub use ticket::{TICKET_SECONDS, TicketKeys};
