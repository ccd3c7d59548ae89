//! Certificates and handshakes: reads and diagnoses an operator's files, chooses the certificate for a client, and
//! identifies clients. No sockets: bytes come in and go out as slices; time is an argument.

mod acceptor;
mod asn1;
pub mod bundle;
pub mod client_auth;
mod connector;
pub mod crl;
mod fields;
mod files;
mod identity;
mod in_use;
mod material;
mod nameless;
mod names;
mod provider;
mod session;
mod ticket;

pub use acceptor::{Acceptor, Choice, ClientRules, H2, HTTP1, Host};
pub use bundle::{Bundle, Code, KeyKind, KnownRoots, Problem, Severity};
pub use client_auth::{ClientPolicy, without_resumption};
pub use connector::{Connector, certificate_cause};
pub use crl::{Crl, CrlError};
pub use files::{CertificateInfo, Files, Finding, Parts};
pub use identity::{Identity, Unreadable, write_headers};
pub use in_use::{Ended, Keeps};
pub use material::Material;
pub use provider::provider;
pub use session::{Read, Session, is_server_name, sealed_len};
pub use ticket::TicketKeys;
