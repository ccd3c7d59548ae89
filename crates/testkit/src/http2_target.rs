//! Targets with HTTP/2, in the clear or over TLS. They run a script for each stream in a thread of its own.

use std::fmt;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use bytes::Bytes;
use h2::server::{Builder, SendResponse};
use h2::{Error, Reason, RecvStream};
use http::{Request, Response};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use crate::http2_stream::{Incoming, Outgoing, fields, pairs};
use crate::message::Message;
use crate::runtime::{handle, wait};
use crate::tls_server::TlsServer;

type Script = Arc<dyn Fn(Http2Exchange) -> Result<(), Error> + Send + Sync>;

/// A server on its own port. Dropping it closes everything and repeats a script's panic.
pub struct Http2Target {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
    phase: watch::Sender<Phase>,
}

/// The state of the target's connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Serving,
    GoingAway,
    Gone,
}

#[derive(Default)]
struct Shared {
    connections: AtomicUsize,
    requests: Mutex<Vec<Message>>,
    panics: Mutex<Vec<String>>,
    handshake_failures: Mutex<Vec<String>>,
}

/// A request and the means to answer it. Errors are caused by the peer: a script returns them with `?` and
/// ends.
pub struct Http2Exchange {
    /// The request's head. Pseudo-fields are fields of it.
    pub request: Message,
    incoming: Incoming,
    responder: SendResponse<Bytes>,
    outgoing: Option<Outgoing>,
}

impl Http2Target {
    /// Runs `script` for each stream, in a thread of its own.
    pub fn script(script: impl Fn(Http2Exchange) -> Result<(), Error> + Send + Sync + 'static) -> Self {
        Self::listen(None, settings(), script)
    }

    /// Answers each request with a response given as HTTP/1 bytes, so that the helpers for those work here too.
    pub fn http(respond: impl Fn(&Message) -> Vec<u8> + Send + Sync + 'static) -> Self {
        Self::script(move |exchange| serve(exchange, &respond))
    }

    /// Answers each request with 200 and `name`.
    pub fn named(name: &'static str) -> Self {
        Self::http(move |_| crate::ok(name))
    }

    /// Like [`Self::http`], over TLS.
    pub fn https(tls: &TlsServer, respond: impl Fn(&Message) -> Vec<u8> + Send + Sync + 'static) -> Self {
        Self::listen(Some(tls), settings(), move |exchange| serve(exchange, &respond))
    }

    /// Listens with or without TLS, and with these settings.
    pub fn listen(
        tls: Option<&TlsServer>,
        settings: Builder,
        script: impl Fn(Http2Exchange) -> Result<(), Error> + Send + Sync + 'static,
    ) -> Self {
        let listener = wait("a listener", TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared::default());
        let (phase, watched) = watch::channel(Phase::Serving);
        let accepting = Accepting {
            tls: tls.map(|tls| TlsAcceptor::from(tls.config())),
            settings,
            shared: Arc::clone(&shared),
            script: Arc::new(script),
            phase: watched,
        };
        Self { address, shared, accepting: handle().spawn(accepting.run(listener)), phase }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The number of connections so far.
    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }

    /// The heads of all requests so far.
    pub fn requests(&self) -> Vec<Message> {
        self.shared.requests.lock().unwrap().clone()
    }

    /// The only request so far.
    #[track_caller]
    pub fn request(&self) -> Message {
        let mut requests = self.requests();
        assert_eq!(requests.len(), 1, "{requests:?}");
        requests.remove(0)
    }

    /// The errors of failed handshakes.
    pub fn handshake_failures(&self) -> Vec<String> {
        self.shared.handshake_failures.lock().unwrap().clone()
    }

    /// Ends all current connections gracefully: sends GOAWAY and serves the streams in flight.
    pub fn go_away(&self) {
        let _ = self.phase.send(Phase::GoingAway);
    }

    /// Ends like a killed process: the port is closed and every connection is closed.
    pub fn kill(self) -> SocketAddr {
        self.address
    }
}

impl Drop for Http2Target {
    fn drop(&mut self) {
        let _ = self.phase.send(Phase::Gone);
        self.accepting.abort();
        let panics = std::mem::take(&mut *self.shared.panics.lock().unwrap());
        if !thread::panicking() && !panics.is_empty() {
            resume_unwind(Box::new(format!("a target's script panicked: {panics:?}")));
        }
    }
}

impl Http2Exchange {
    /// Reads a part of the request's body; empty at its end.
    pub fn read(&mut self) -> Result<Vec<u8>, Error> {
        self.incoming.read()
    }

    /// Reads the rest of the request, including trailers.
    pub fn finish(&mut self) -> Result<Message, Error> {
        let mut message = std::mem::take(&mut self.request);
        self.incoming.finish(&mut message)?;
        self.request = message.clone();
        Ok(message)
    }

    /// Sends the head of the response. The script sends the body.
    pub fn respond(&mut self, status: u16, named: &[(&str, &str)]) -> Result<(), Error> {
        let mut response = Response::new(());
        *response.status_mut() = status.try_into().unwrap();
        *response.headers_mut() = fields(named);
        self.outgoing = Some(Outgoing(self.responder.send_response(response, false)?));
        Ok(())
    }

    /// Sends a part of the body. Call [`Self::respond`] first.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> Result<(), Error> {
        self.outgoing.as_mut().expect("a response").send(bytes.as_ref())
    }

    pub fn end(&mut self) -> Result<(), Error> {
        self.outgoing.as_mut().expect("a response").end()
    }

    pub fn end_with_trailers(&mut self, trailers: &[(&str, &str)]) -> Result<(), Error> {
        self.outgoing.as_mut().expect("a response").end_with_trailers(trailers)
    }

    /// Sends received bytes back until the end of the body.
    pub fn echo(&mut self) -> Result<(), Error> {
        loop {
            match self.read()? {
                bytes if bytes.is_empty() => return self.end(),
                bytes => self.send(bytes)?,
            }
        }
    }

    pub fn reset(&mut self, reason: Reason) {
        self.responder.send_reset(reason);
    }

    /// Waits until the peer resets the stream.
    pub fn wait_reset(&mut self) -> Result<Reason, Error> {
        match &mut self.outgoing {
            Some(outgoing) => outgoing.wait_reset(),
            None => wait("a reset by the peer", poll_fn(|context| self.responder.poll_reset(context))),
        }
    }

    fn new(request: Request<RecvStream>, responder: SendResponse<Bytes>) -> Self {
        let (parts, body) = request.into_parts();
        let target = parts.uri.path_and_query().map_or("", |path| path.as_str());
        let mut named: Vec<(String, String)> = Vec::new();
        let mut pseudo = |name: &str, value: Option<&str>| {
            named.extend(value.map(|value| (name.to_owned(), value.to_owned())));
        };
        pseudo(":scheme", parts.uri.scheme_str());
        pseudo(":authority", parts.uri.authority().map(|authority| authority.as_str()));
        pseudo(":protocol", parts.extensions.get::<h2::ext::Protocol>().map(|protocol| protocol.as_str()));
        named.extend(pairs(&parts.headers));
        let start = format!("{} {target} HTTP/2", parts.method);
        let request = Message { start, fields: named, ..Message::default() };
        Self { request, incoming: Incoming(body), responder, outgoing: None }
    }
}

/// What the accepting task needs.
struct Accepting {
    tls: Option<TlsAcceptor>,
    settings: Builder,
    shared: Arc<Shared>,
    script: Script,
    phase: watch::Receiver<Phase>,
}

impl Accepting {
    async fn run(self, listener: TcpListener) {
        let this = Arc::new(self);
        while let Ok((socket, _)) = listener.accept().await {
            this.shared.connections.fetch_add(1, Ordering::SeqCst);
            let this = Arc::clone(&this);
            tokio::spawn(async move {
                let mut phase = this.phase.clone();
                // Dropping the future closes the connection.
                tokio::select! {
                    _ = phase.wait_for(|phase| *phase == Phase::Gone) => {}
                    () = this.connection(socket) => {}
                }
            });
        }
    }

    async fn connection(&self, socket: TcpStream) {
        let _ = socket.set_nodelay(true);
        let ended = match &self.tls {
            None => self.streams(socket).await,
            Some(tls) => match tls.accept(socket).await {
                Ok(stream) => self.streams(stream).await,
                Err(error) => {
                    self.shared.handshake_failures.lock().unwrap().push(error.to_string());
                    Ok(())
                }
            },
        };
        // The peer causes this error.
        drop(ended);
    }

    async fn streams<S: AsyncRead + AsyncWrite + Unpin>(&self, stream: S) -> Result<(), Error> {
        let mut connection = self.settings.handshake::<S, Bytes>(stream).await?;
        let mut phase = self.phase.clone();
        // Later phases are seen by `changed`.
        phase.mark_unchanged();
        let mut is_leaving = false;
        loop {
            let accepted = tokio::select! {
                accepted = connection.accept() => accepted,
                _ = phase.changed(), if !is_leaving => {
                    is_leaving = true;
                    connection.graceful_shutdown();
                    continue;
                }
            };
            let Some(accepted) = accepted else { return Ok(()) };
            let (request, responder) = accepted?;
            let exchange = Http2Exchange::new(request, responder);
            self.shared.requests.lock().unwrap().push(exchange.request.clone());
            let (shared, script) = (Arc::clone(&self.shared), Arc::clone(&self.script));
            thread::spawn(move || {
                if let Err(panic) = catch_unwind(AssertUnwindSafe(|| script(exchange))) {
                    let message = panic.downcast_ref::<String>().cloned().unwrap_or_default();
                    shared.panics.lock().unwrap().push(message);
                }
            });
        }
    }
}

fn serve(mut exchange: Http2Exchange, respond: &impl Fn(&Message) -> Vec<u8>) -> Result<(), Error> {
    let bytes = respond(&exchange.finish()?);
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").expect("a head") + 4;
    let head = Message::from_head(bytes[..end].to_vec());
    let of_connection = ["connection", "keep-alive", "transfer-encoding"];
    let named: Vec<(String, &str)> = head
        .fields
        .iter()
        .map(|(name, value)| (name.to_ascii_lowercase(), value.as_str()))
        .filter(|(name, _)| !of_connection.contains(&name.as_str()))
        .collect();
    let named: Vec<(&str, &str)> = named.iter().map(|(name, value)| (name.as_str(), *value)).collect();
    exchange.respond(head.status(), &named)?;
    exchange.send(&bytes[end..])?;
    exchange.end()
}

fn settings() -> Builder {
    let mut settings = Builder::new();
    settings.enable_connect_protocol();
    settings
}

impl fmt::Debug for Http2Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http2Target").field("address", &self.address).finish_non_exhaustive()
    }
}

impl fmt::Debug for Http2Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http2Exchange").field("request", &self.request).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Authority, Client, Http2Client, Http2Frame, RawHttp2, TlsClient, hpack, response};

    #[test]
    fn streams_go_both_ways_at_once() {
        let target = Http2Target::script(|mut exchange| {
            exchange.respond(200, &[("content-type", "text/plain")])?;
            loop {
                match exchange.read()? {
                    bytes if bytes.is_empty() => break,
                    bytes => exchange.send(bytes)?,
                }
            }
            exchange.end_with_trailers(&[("grpc-status", "0")])
        });
        let mut client = Http2Client::connect(target.address());
        let mut stream = client.request("POST", "/echo", &[("te", "trailers")]);
        stream.send("one").unwrap();
        let mut message = stream.head().unwrap();
        assert_eq!(stream.read_exactly(3), b"one");
        stream.send(vec![b'x'; 50_000]).unwrap();
        stream.end().unwrap();
        stream.finish(&mut message).unwrap();
        assert_eq!((message.status(), message.body.len()), (200, 50_000));
        assert_eq!((message.trailers, message.is_complete), (vec!["grpc-status: 0".to_owned()], true));
        let request = target.request();
        assert_eq!(
            (request.start.as_str(), request.field(":authority")),
            ("POST /echo HTTP/2", Some("shop.example"))
        );
    }

    #[test]
    fn http1_responses_are_served_over_tls() {
        let leaf = Authority::new("Root").leaf(&[]).issue();
        let target = Http2Target::https(&TlsServer::new(&leaf).alpn(&["h2"]), |request| {
            response(404, "X-Seen: yes\r\nConnection: close\r\n", &request.text())
        });
        let mut client = Http2Client::secure(&TlsClient::to(target.address()));
        let response = client.exchange("PUT", "/", &[], b"body");
        assert_eq!(
            (response.status(), response.field("x-seen"), response.text()),
            (404, Some("yes"), "body".into())
        );
    }

    #[test]
    fn a_target_goes_away() {
        let target = Http2Target::named("one");
        let mut client = Http2Client::connect(target.address());
        assert_eq!(client.get("/").text(), "one");
        target.go_away();
        assert_eq!(client.ended(), Reason::NO_ERROR);
    }

    #[test]
    fn handmade_frames_are_accepted() {
        let target = Http2Target::script(|mut exchange| exchange.wait_reset().map(drop));
        let mut raw = RawHttp2::start(Client::connect(target.address()));
        raw.get(1, "/raw");
        raw.send(&Http2Frame::ping(*b"12345678"));
        assert!(raw.frame(Http2Frame::PING).is_ack());
        raw.send(&Http2Frame::reset(1, 8));
        // HTTP/2 allows no `Connection` field.
        raw.send(&Http2Frame::request(3, hpack::request("GET", "/", &[("connection", "close")])));
        assert_eq!(raw.reset_code(3), 1);
        raw.send(&Http2Frame::new(Http2Frame::PING, 0, 3, [0; 8]));
        assert_eq!(raw.goaway(), Some(1));
        assert_eq!(target.request().target(), "/raw");
    }

    #[test]
    fn a_status_is_decoded_from_its_block() {
        let target = Http2Target::http(|_| response(421, "", "no"));
        let mut raw = RawHttp2::start(Client::connect(target.address()));
        raw.get(1, "/");
        assert_eq!(raw.status(1), 421);
    }
}
