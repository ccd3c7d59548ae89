//! A well-behaved HTTP/2 client. For hostile ones see [`crate::RawHttp2`].

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use h2::client::{ResponseFuture, SendRequest};
use h2::{Error, Reason};
use http::{Method, Request, Uri};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;

use crate::http2_stream::{Incoming, Outgoing, fields, pairs};
use crate::message::Message;
use crate::runtime::{handle, wait};
use crate::tls_client::TlsClient;
use crate::wait::wait_until;

/// One HTTP/2 connection.
pub struct Http2Client {
    sender: SendRequest<Bytes>,
    connection: JoinHandle<Result<(), Error>>,
    scheme: &'static str,
    authority: String,
}

/// One request and its response, sent and read in pieces.
pub struct Http2Stream {
    outgoing: Outgoing,
    response: Option<ResponseFuture>,
    incoming: Option<Incoming>,
}

impl Http2Client {
    /// Connects with prior knowledge.
    #[track_caller]
    pub fn connect(address: SocketAddr) -> Self {
        let socket = wait("a connection", TcpStream::connect(address)).expect("connect");
        Self::over(socket, "http", &mut h2::client::Builder::new())
    }

    /// Connects with prior knowledge and these settings.
    #[track_caller]
    pub fn connect_with(address: SocketAddr, settings: &mut h2::client::Builder) -> Self {
        let socket = wait("a connection", TcpStream::connect(address)).expect("connect");
        Self::over(socket, "http", settings)
    }

    /// Connects over TLS. ALPN must choose `h2`.
    #[track_caller]
    pub fn secure(tls: &TlsClient) -> Self {
        let connector = TlsConnector::from(tls.clone().alpn_if_none(&["h2"]).config());
        let stream = wait("a handshake", async {
            connector.connect(tls.name.clone(), TcpStream::connect(tls.address).await?).await
        });
        let stream = stream.expect("a handshake");
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]), "ALPN");
        let mut client = Self::over(stream, "https", &mut h2::client::Builder::new());
        client.authority = tls.name.to_str().into_owned();
        client
    }

    /// Sets the authority of further requests.
    #[must_use]
    pub fn authority(mut self, authority: &str) -> Self {
        authority.clone_into(&mut self.authority);
        self
    }

    fn over<S>(stream: S, scheme: &'static str, settings: &mut h2::client::Builder) -> Self
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let (sender, connection) = wait("HTTP/2", settings.handshake(stream)).expect("HTTP/2");
        let connection = handle().spawn(connection);
        Self { sender, connection, scheme, authority: "shop.example".to_owned() }
    }

    /// Sends a `GET` and reads the response.
    #[track_caller]
    pub fn get(&mut self, path: &str) -> Message {
        self.exchange("GET", path, &[], b"")
    }

    /// Sends a request and reads the response.
    #[track_caller]
    pub fn exchange(&mut self, method: &str, path: &str, fields: &[(&str, &str)], body: &[u8]) -> Message {
        let exchanged = self.try_exchange(method, path, fields, body);
        exchanged.unwrap_or_else(|error| panic!("no response: {error}"))
    }

    pub fn try_exchange(
        &mut self,
        method: &str,
        path: &str,
        fields: &[(&str, &str)],
        body: &[u8],
    ) -> Result<Message, Error> {
        let mut stream = self.start(self.head(method, path, fields), body.is_empty())?;
        if !body.is_empty() {
            stream.send(body)?;
            stream.end()?;
        }
        stream.try_response()
    }

    /// Sends the head of a request. The caller sends the body.
    #[track_caller]
    pub fn request(&mut self, method: &str, path: &str, fields: &[(&str, &str)]) -> Http2Stream {
        self.start(self.head(method, path, fields), false).expect("a stream")
    }

    /// Opens a WebSocket by extended CONNECT (RFC 8441). Waits until the server has offered it.
    #[track_caller]
    pub fn websocket(&mut self, path: &str) -> Http2Stream {
        wait_until("extended CONNECT is offered", || self.offers_websockets());
        let mut request = self.head(
            "CONNECT",
            path,
            &[("sec-websocket-version", "13"), ("origin", "https://chat.example")],
        );
        request.extensions_mut().insert(h2::ext::Protocol::from_static("websocket"));
        self.start(request, false).expect("a stream")
    }

    /// True if the server has offered extended CONNECT.
    pub fn offers_websockets(&self) -> bool {
        self.sender.is_extended_connect_protocol_enabled()
    }

    /// Waits for the connection's end. Returns the reason of a GOAWAY that was not graceful, else `NO_ERROR`.
    #[track_caller]
    pub fn ended(self) -> Reason {
        let Self { sender, connection, .. } = self;
        let ended = wait("the connection's end", connection).expect("no panic");
        drop(sender);
        ended.map_or_else(|error| error.reason().unwrap_or(Reason::INTERNAL_ERROR), |()| Reason::NO_ERROR)
    }

    fn head(&self, method: &str, path: &str, named: &[(&str, &str)]) -> Request<()> {
        let uri = Uri::builder().scheme(self.scheme).authority(self.authority.as_str()).path_and_query(path);
        let mut request = Request::new(());
        *request.method_mut() = Method::from_bytes(method.as_bytes()).unwrap();
        *request.uri_mut() = uri.build().unwrap();
        *request.version_mut() = http::Version::HTTP_2;
        *request.headers_mut() = fields(named);
        request
    }

    #[track_caller]
    fn start(&mut self, request: Request<()>, ends: bool) -> Result<Http2Stream, Error> {
        let ready = wait("a free stream", self.sender.clone().ready());
        let (response, outgoing) = ready?.send_request(request, ends)?;
        Ok(Http2Stream { outgoing: Outgoing(outgoing), response: Some(response), incoming: None })
    }
}

impl Http2Stream {
    /// Sends a part of the body, when the server's window allows it.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> Result<(), Error> {
        self.outgoing.send(bytes.as_ref())
    }

    /// Ends the request.
    pub fn end(&mut self) -> Result<(), Error> {
        self.outgoing.end()
    }

    pub fn end_with_trailers(&mut self, trailers: &[(&str, &str)]) -> Result<(), Error> {
        self.outgoing.end_with_trailers(trailers)
    }

    /// Resets the stream.
    pub fn reset(mut self, reason: Reason) {
        self.outgoing.reset(reason);
    }

    /// Reads the head of the response; its body is left unread.
    pub fn head(&mut self) -> Result<Message, Error> {
        let response = self.response.take().expect("one response");
        let (parts, body) = wait("a response", response)?.into_parts();
        self.incoming = Some(Incoming(body));
        let start = format!("HTTP/2 {} ", parts.status.as_u16());
        Ok(Message { start, fields: pairs(&parts.headers), ..Message::default() })
    }

    /// Reads a part of the body; empty at its end. Call [`Self::head`] first.
    pub fn read(&mut self) -> Result<Vec<u8>, Error> {
        self.incoming.as_mut().expect("a head").read()
    }

    #[track_caller]
    pub fn read_exactly(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        while bytes.len() < length {
            let some = self.read().expect("bytes");
            assert!(!some.is_empty(), "the body ended after {bytes:?}");
            bytes.extend(some);
        }
        bytes
    }

    /// Reads the rest of the response into `message`: body and trailers.
    pub fn finish(&mut self, message: &mut Message) -> Result<(), Error> {
        self.incoming.as_mut().expect("a head").finish(message)
    }

    /// Reads the whole response.
    pub fn try_response(&mut self) -> Result<Message, Error> {
        let mut message = self.head()?;
        self.finish(&mut message)?;
        Ok(message)
    }

    #[track_caller]
    pub fn response(&mut self) -> Message {
        self.try_response().unwrap_or_else(|error| panic!("no response: {error}"))
    }
}

impl TlsClient {
    /// Offers these protocols unless others were set. Keeps the client's sessions.
    fn alpn_if_none(self, protocols: &[&str]) -> Self {
        if Arc::clone(&self.config()).alpn_protocols.is_empty() { self.alpn(protocols) } else { self }
    }
}

impl fmt::Debug for Http2Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http2Client").field("authority", &self.authority).finish_non_exhaustive()
    }
}

impl fmt::Debug for Http2Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http2Stream").finish_non_exhaustive()
    }
}
