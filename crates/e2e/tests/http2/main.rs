//! Clients with HTTP/2 by prior knowledge (HTTP6).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod aborts_reach_the_target;
mod bodies_and_trailers_go_both_ways;
mod connections_end_with_goaway;
mod floods_are_ended;
mod malformed_requests_are_refused;
mod request_without_a_body_has_a_length;
mod streams_are_served_concurrently;
mod targets_go_away;
mod targets_refuse_streams;
mod targets_speak_http2;
mod targets_speak_http2_over_tls;
mod targets_take_many_streams;
mod websocket_is_an_extended_connect;

use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use h2::client::{Builder, SendRequest};
use h2::{Reason, RecvStream};
use http::{HeaderMap, Request, Response};
use testkit::{Client, Config, Http2Target};

/// A configuration for targets with HTTP/2 by prior knowledge.
fn h2c(targets: &[&Http2Target]) -> Config {
    let addresses: Vec<_> = targets.iter().map(|target| target.address()).collect();
    Config::to_addresses(&addresses).group("protocol = \"h2c\"")
}

/// A client of crate `h2`, and the task of its connection.
struct Connection {
    requests: SendRequest<Bytes>,
    end: tokio::task::JoinHandle<Result<(), h2::Error>>,
}

/// Runs `story` with a connection.
fn with<F: Future>(address: SocketAddr, story: impl FnOnce(Connection) -> F) -> F::Output {
    with_builder(address, &Builder::new(), story)
}

fn with_builder<F: Future>(
    address: SocketAddr,
    builder: &Builder,
    story: impl FnOnce(Connection) -> F,
) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let all = async {
        let socket = tokio::net::TcpStream::connect(address).await.unwrap();
        let (requests, connection) = builder.handshake(socket).await.unwrap();
        story(Connection { requests, end: tokio::spawn(connection) }).await
    };
    runtime.block_on(async { tokio::time::timeout(PATIENCE, all).await.expect("it hangs") })
}

impl Connection {
    /// A request without a body.
    async fn get(&mut self, path: &str) -> (Response<RecvStream>, Bytes) {
        let (response, _) = self.send(request("GET", path), true).await;
        read(response.await.unwrap()).await
    }

    async fn send(
        &mut self,
        request: Request<()>,
        ends: bool,
    ) -> (h2::client::ResponseFuture, h2::SendStream<Bytes>) {
        std::future::poll_fn(|context| self.requests.poll_ready(context)).await.unwrap();
        self.requests.send_request(request, ends).unwrap()
    }
}

fn request(method: &str, path: &str) -> Request<()> {
    Request::builder().method(method).uri(format!("http://shop.example{path}")).body(()).unwrap()
}

/// Reads a whole body.
async fn read(mut response: Response<RecvStream>) -> (Response<RecvStream>, Bytes) {
    let mut all = Vec::new();
    while let Some(data) = response.body_mut().data().await {
        let data = data.unwrap();
        response.body_mut().flow_control().release_capacity(data.len()).unwrap();
        all.extend_from_slice(&data);
    }
    (response, all.into())
}

async fn trailers(response: &mut Response<RecvStream>) -> Option<HeaderMap> {
    response.body_mut().trailers().await.unwrap()
}

/// A client of raw bytes that has sent its preface and SETTINGS.
fn raw(address: SocketAddr) -> Client {
    let mut client = Client::connect(address);
    client.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    client.send(frame(4, 0, 0, &[]));
    client
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// `GET /` as literals and indices (RFC 7541 §C.4.1, without Huffman coding).
const GET: &[u8] = b"\x82\x86\x84\x41\x01a";

/// The reason of the GOAWAY that ends this connection.
fn goaway(client: &mut Client) -> Option<Reason> {
    let mut bytes = Vec::new();
    while let Ok(more) = client.read() {
        if more.is_empty() {
            break;
        }
        bytes.extend_from_slice(&more);
    }
    let mut reason = None;
    while let [a, b, c, kind, _, _, _, _, _, rest @ ..] = bytes.as_slice() {
        let length = u32::from_be_bytes([0, *a, *b, *c]) as usize;
        if *kind == 7 {
            reason = Some(Reason::from(u32::from_be_bytes(rest[4..8].try_into().unwrap())));
        }
        bytes.drain(..9 + length.min(rest.len()));
    }
    reason
}

const PATIENCE: Duration = Duration::from_secs(30);
