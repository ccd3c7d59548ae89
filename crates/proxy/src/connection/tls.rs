//! The TLS handshake with a client, between accept and the first request (TLS1–TLS4).
//!
//! The ClientHello is parsed before a session exists. Its server name chooses the certificate and the rules for client
//! certificates, and alerts that rustls would not choose are sent from here.

use std::io;
use std::rc::Rc;
use std::sync::Arc;

use model::TlsVersion;
use net::{Buffer, SMALL, Sys, Ticks};
use observe::Handshake;
use proto::client_hello::{Alert, ClientHello, Peek, peek};
use rustls::{AlertDescription, CertificateError, Error, PeerIncompatible, ServerConfig};
use tls::{Choice, ClientRules, Host, Session};

use super::client::Client;
use super::refused::{handshake_failed, not_tls};
use crate::arrival::Source;
use crate::decide::{Agreement, agree};
use crate::io_error;
use crate::local::LocalListener;
use crate::stream::{HandshakeError, Tls};

/// What a connection on a TLS listener turned out to be.
pub(crate) enum Opened {
    /// A TLS session; `is_http2`: ALPN chose HTTP/2.
    Secure { is_http2: bool },
    /// Plain HTTP: these bytes begin a request, which can be answered.
    Plain(Buffer),
    /// The handshake failed, and the connection closes. `is_told`: the client was sent an alert.
    Ended { is_told: bool },
}

/// Makes the handshake until `deadline`. `input` is what the client has sent of it.
pub(crate) async fn secure<S: Sys>(client: &mut Client<S>, mut input: Buffer, deadline: Ticks) -> Opened {
    let listener = Rc::clone(&client.bound.listener.borrow());
    client.stream.set_read_deadline(deadline);
    client.stream.set_write_deadline(deadline);
    let handshakes = &listener.cells().handshakes;
    let hello = match hello(client, &mut input).await {
        Ok(Some(hello)) => hello,
        Ok(None) => {
            handshakes.count(Handshake::PlainHttp);
            if listener.plan.is_tcp() {
                not_tls(&listener, client.peer);
            }
            return Opened::Plain(input);
        }
        Err(result) => {
            handshake_failed(&listener, client.peer, None, result);
            return ended(result);
        }
    };
    match handshake(client, &listener, &hello, input).await {
        Ok(session) => {
            let is_http2 = session.with_session(|session| session.protocol() == Some(tls::H2));
            let is_resumed = session.with_session(Session::is_resumed);
            handshakes.count(if is_resumed { Handshake::Resumed } else { Handshake::Full });
            client.stream.secure(session);
            Opened::Secure { is_http2 }
        }
        Err(result) => {
            handshake_failed(&listener, client.peer, hello.server_name.as_deref(), result);
            ended(result)
        }
    }
}

/// Reads the ClientHello. `None`: the bytes are plain HTTP.
async fn hello<S: Sys>(client: &Client<S>, input: &mut Buffer) -> Result<Option<ClientHello>, Handshake> {
    loop {
        match peek(input.bytes()) {
            Peek::Complete(hello) => return Ok(Some(hello)),
            Peek::PlainHttp => return Ok(None),
            Peek::Refused(alert, _) => {
                say(client, alert);
                return Err(Handshake::Malformed);
            }
            Peek::NeedMore => input.shrink(),
        }
        match client.stream.fill(input, SMALL).await {
            Ok(0) => return Err(Handshake::Closed),
            Ok(_) => {}
            Err(error) => return Err(on_error(&error)),
        }
    }
}

async fn handshake<S: Sys>(
    client: &Client<S>,
    listener: &LocalListener<S>,
    hello: &ClientHello,
    input: Buffer,
) -> Result<Box<Tls>, Handshake> {
    let (Some(plan), Some(tcp)) = (&listener.plan.tls, client.stream.as_plain()) else {
        return Err(Handshake::Internal);
    };
    if !(hello.offers_tls13 || (hello.offers_tls12 && plan.min_version == TlsVersion::Tls12)) {
        say(client, Alert::ProtocolVersion);
        return Err(Handshake::Version);
    }
    let name = hello.server_name.as_deref();
    // No certificate can have such a name, and the client would send it again: as one of an unknown host, but for 421.
    let has_other_name = hello.has_other_name || name.is_some_and(|name| !tls::is_server_name(name));
    let has_sent_name = name.is_some() && !has_other_name;
    // A system call, but only where no name decides.
    let local = (name.is_none() && !has_other_name).then(|| tcp.local_address().ok()).flatten();
    let host = match plan.acceptor.choose(name, local.map(|address| address.ip())) {
        Choice::Host(host) => host,
        Choice::Unrecognized => {
            say(client, Alert::UnrecognizedName);
            return Err(Handshake::UnrecognizedName);
        }
    };
    let config = if has_other_name { &host.nameless } else { &host.config };
    let config = match agreement(client, listener, hello, has_sent_name) {
        Agreement::Nothing => Arc::clone(config),
        Agreement::Protocol(protocol) => offering(config, protocol),
        Agreement::Refused => {
            say(client, Alert::NoApplicationProtocol);
            return Err(Handshake::NoApplicationProtocol);
        }
    };
    let session = match has_other_name {
        true => Session::accept_nameless(config),
        false => Session::accept(config),
    };
    let Ok(session) = session else {
        say(client, Alert::InternalError);
        return Err(Handshake::Internal);
    };
    match Tls::handshake(tcp, session, input, false).await {
        Ok(mut session) => {
            let (key, name) = (tcp.key(), &listener.plan.name);
            // A request names its host itself.
            let logged = hello.server_name.as_deref().filter(|_| has_sent_name && listener.plan.is_tcp());
            let watch = |chain: &[_]| client.proxy.revocation_watch.watch(key, name, host, chain);
            session
                .record_facts(host, has_sent_name, logged, listener.plan.is_tcp(), watch)
                .map_err(|_| Handshake::ClientCertificate)?;
            check_again(client, listener, host, &session)?;
            Ok(session)
        }
        Err(HandshakeError::Closed) => Err(Handshake::Closed),
        Err(HandshakeError::Io(error)) => Err(on_error(&error)),
        Err(HandshakeError::Tls(error)) => Err(reason(&error)),
    }
}

/// What rules of a TCP service want to be agreed on.
fn agreement<'l, S: Sys>(
    client: &Client<S>,
    listener: &'l LocalListener<S>,
    hello: &ClientHello,
    has_sent_name: bool,
) -> Agreement<'l> {
    if !listener.plan.is_tcp() {
        return Agreement::Nothing;
    }
    let source = Source { address: client.peer.ip(), is_known: !client.is_nameless(), is_trusted: false };
    agree(&listener.plan, &listener.table, hello, has_sent_name, source)
}

/// The same, but for what is agreed on by ALPN. A handshake is long beside this copy of pointers.
fn offering(config: &ServerConfig, protocol: &str) -> Arc<ServerConfig> {
    let mut config = config.clone();
    config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
    Arc::new(config)
}

/// Checks the client's certificate again if a reload came during the handshake, which may have revoked it.
fn check_again<S: Sys>(
    client: &Client<S>,
    began: &LocalListener<S>,
    host: &Host,
    session: &Tls,
) -> Result<(), Handshake> {
    let now = client.bound.listener.borrow();
    let (Some(plan), true) = (&now.plan.tls, host.client.is_some()) else { return Ok(()) };
    if Arc::ptr_eq(&now.plan, &began.plan) {
        return Ok(());
    }
    let host = plan.acceptor.successor(host).ok_or(Handshake::ClientCertificate)?;
    let is_revoked = |rules: &ClientRules| {
        session.with_session(|session| {
            session.peer_certificates().is_some_and(|chain| rules.policy.is_revoked(chain))
        })
    };
    match &host.client {
        Some(rules) if is_revoked(rules) => Err(Handshake::ClientCertificateRevoked),
        _ => Ok(()),
    }
}

/// Sends an alert. If the socket does not take it, the client only sees the connection close.
fn say<S: Sys>(client: &Client<S>, alert: Alert) {
    let _ = client.stream.try_write(&alert.record(), &[]);
}

fn ended(result: Handshake) -> Opened {
    // A client that closed or was late has been sent no alert.
    Opened::Ended { is_told: !matches!(result, Handshake::Closed | Handshake::TimedOut) }
}

fn on_error(error: &io::Error) -> Handshake {
    if io_error::is_deadline(error) { Handshake::TimedOut } else { Handshake::Closed }
}

/// The handshake result for an error of rustls.
fn reason(error: &Error) -> Handshake {
    match error {
        Error::InvalidCertificate(CertificateError::Revoked) => Handshake::ClientCertificateRevoked,
        Error::InvalidCertificate(CertificateError::Expired | CertificateError::ExpiredContext { .. }) => {
            Handshake::ClientCertificateExpired
        }
        Error::InvalidCertificate(CertificateError::UnknownIssuer) => Handshake::ClientCertificateUnknownCa,
        Error::NoCertificatesPresented => Handshake::ClientCertificateMissing,
        Error::InvalidCertificate(_) => Handshake::ClientCertificate,
        // The client refused our certificate.
        Error::AlertReceived(AlertDescription::UnknownCA | AlertDescription::BadCertificate)
        | Error::AlertReceived(AlertDescription::CertificateUnknown | AlertDescription::CertificateExpired) => {
            Handshake::CertificateRefused
        }
        Error::AlertReceived(_) => Handshake::Alert,
        Error::NoApplicationProtocol => Handshake::NoApplicationProtocol,
        Error::PeerIncompatible(PeerIncompatible::NoCipherSuitesInCommon)
        | Error::PeerIncompatible(PeerIncompatible::NoKxGroupsInCommon) => Handshake::NothingInCommon,
        Error::PeerIncompatible(_) => Handshake::NothingInCommon,
        _ => Handshake::Malformed,
    }
}
