//! The facts about a connection on which decisions depend. No socket and no stream: a test, `explain` or a TCP listener
//! can state them as well.

use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;

use crate::stream::TlsFacts;

/// How a request's connection came in.
#[derive(Clone, Debug)]
pub(crate) struct Arrival {
    /// The client: the other end of the socket, or the source that a PROXY header names.
    pub(crate) peer: SocketAddr,
    /// The other end of the socket.
    pub(crate) socket_peer: SocketAddr,
    /// The port at which the client arrived: the listener's, or that of a PROXY header's destination.
    pub(crate) port: u16,
    /// `false`: the connection was passed on without a source address, so `peer` is only the proxy.
    pub(crate) is_peer_known: bool,
    pub(crate) security: Security,
    /// The request came as a stream of HTTP/2.
    pub(crate) is_http2: bool,
}

/// What protects a connection.
#[derive(Clone, Debug)]
pub(crate) enum Security {
    /// No TLS.
    Plain,
    /// No TLS on a listener that had TLS when the connection came in.
    PlainOnTls,
    /// A finished handshake.
    Tls(Rc<TlsFacts>),
}

impl Security {
    pub(crate) fn tls_facts(&self) -> Option<&TlsFacts> {
        match self {
            Self::Tls(tls_facts) => Some(tls_facts),
            Self::Plain | Self::PlainOnTls => None,
        }
    }
}

/// The client of a request, behind trusted proxies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Source {
    pub(crate) address: IpAddr,
    /// `false`: the address is only that of the last known proxy on the way.
    pub(crate) is_known: bool,
    /// The peer is a trusted proxy: its forwarded fields and request id are believed.
    pub(crate) is_trusted: bool,
}
