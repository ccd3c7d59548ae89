//! A client's connection, as all steps that serve it see it.

use std::cell::Cell;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;

use balance::connection_limit::ClientLimit;
use net::Sys;
use observe::ListenerCells;

use super::permit::Permit;
use crate::arrival::{Arrival, Security};
use crate::local::BoundListener;
use crate::relay::End;
use crate::stream::{Stream, Tls, Wire};
use crate::worker::Proxy;

/// A client's connection and where it came in.
pub(crate) struct Client<S: Sys> {
    pub(crate) proxy: Rc<Proxy<S>>,
    pub(crate) bound: Rc<BoundListener<S>>,
    pub(crate) stream: Stream<S>,
    /// The other end of the socket, or the source address of the PROXY header.
    pub(crate) peer: SocketAddr,
    /// Of a connection with a PROXY header.
    pub(crate) passed_on: Option<Rc<PassedOn>>,
    /// Requests so far.
    pub(crate) requests: u32,
    /// The client was told that this response is the last one: it may close its side.
    pub(crate) is_dismissed: Cell<bool>,
    /// The client speaks plain HTTP on a listener with TLS.
    pub(crate) is_plain: bool,
    // invariant: it is dropped after the stream: a permit is given back when its connection is closed.
    pub(crate) held: Held<S>,
}

/// What carries a client's requests, and keeps a permit.
pub(crate) enum Held<S: Sys> {
    /// A connection of its own, with its permit of the listener that accepted it, which a reload may replace.
    Connection(Permit),
    /// One of the streams of this connection.
    Stream(Rc<Client<S>>),
}

impl<S: Sys> Client<S> {
    pub(crate) fn cells(&self) -> &ListenerCells {
        self.permit().cells()
    }

    pub(crate) fn permit(&self) -> &Permit {
        match &self.held {
            Held::Connection(permit) => permit,
            Held::Stream(connection) => connection.permit(),
        }
    }

    /// See [`Permit::count`].
    pub(crate) fn count(&mut self, client: IpAddr) -> Result<(), ClientLimit> {
        match &mut self.held {
            Held::Connection(permit) => permit.count(client),
            Held::Stream(_) => Ok(()),
        }
    }

    /// A stream of `connection` (HTTP/2), the `number`-th from 0.
    pub(crate) fn for_stream(connection: &Rc<Self>, stream: Stream<S>, number: u32) -> Self {
        Self {
            proxy: Rc::clone(&connection.proxy),
            bound: Rc::clone(&connection.bound),
            stream,
            peer: connection.peer,
            passed_on: connection.passed_on.clone(),
            requests: number,
            is_dismissed: Cell::new(false),
            is_plain: false,
            held: Held::Stream(Rc::clone(connection)),
        }
    }

    /// True for a stream of a connection (HTTP/2).
    pub(crate) fn is_stream(&self) -> bool {
        matches!(self.held, Held::Stream(_))
    }

    /// The TLS session, if the connection has one.
    pub(crate) fn tls(&self) -> Option<&Tls> {
        match &self.held {
            Held::Connection(_) => self.stream.wire().and_then(Wire::tls),
            Held::Stream(connection) => connection.tls(),
        }
    }

    /// True if the response that is about to go is the connection's last one.
    pub(crate) fn is_last(&self) -> bool {
        self.bound.closing.get() || self.permit().announce_close()
    }

    /// The facts of the connection on which decisions depend.
    pub(crate) fn arrival(&self) -> Arrival {
        Arrival {
            peer: self.peer,
            socket_peer: self.connected(),
            port: self.port(),
            is_peer_known: !self.is_nameless(),
            security: match self.tls().and_then(Tls::facts) {
                Some(tls_facts) => Security::Tls(Rc::clone(tls_facts)),
                None if self.is_plain => Security::PlainOnTls,
                None => Security::Plain,
            },
            is_http2: self.is_stream(),
        }
    }

    /// The connection as one end of an exchange.
    pub(crate) fn end(&self) -> End<'_, S> {
        End::new(&self.stream)
    }

    /// The other end of the socket.
    pub(crate) fn connected(&self) -> SocketAddr {
        self.passed_on.as_ref().map_or(self.peer, |passed_on| passed_on.by)
    }

    /// The port to which the client connected.
    pub(crate) fn port(&self) -> u16 {
        let told = self.passed_on.as_ref().and_then(|passed_on| passed_on.destination);
        told.unwrap_or(self.bound.address).port()
    }

    /// The PROXY header had no addresses: the client is not known.
    pub(crate) fn is_nameless(&self) -> bool {
        self.passed_on.as_ref().is_some_and(|passed_on| passed_on.destination.is_none())
    }
}

/// What a PROXY header told. Kept out of line, since few connections have one.
#[derive(Debug)]
pub(crate) struct PassedOn {
    /// The other end of the socket.
    pub(crate) by: SocketAddr,
    /// The address to which the client had connected; `None`: the header had no addresses.
    pub(crate) destination: Option<SocketAddr>,
}

impl<S: Sys> Drop for Client<S> {
    fn drop(&mut self) {
        if let Held::Connection(permit) = &self.held {
            permit.cells().connections_open.decrement();
            self.proxy.connection_closed();
        }
    }
}
