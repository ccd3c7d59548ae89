//! One request and the status of its response, over any byte stream.

use std::convert::Infallible;
use std::future::{Future, pending};

use http_body_util::{BodyExt, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::header::{CONNECTION, HOST, USER_AGENT};
use hyper::{Request, Response, Uri};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

use super::ProbeError;

#[derive(Debug)]
pub(super) struct Question<'a> {
    pub(super) is_tls: bool,
    pub(super) host: String,
    pub(super) path: &'a str,
}

/// Sends the request over HTTP/1.1 and returns the status of the response.
pub(super) async fn http1(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    question: &Question<'_>,
) -> Result<u16, ProbeError> {
    let request = Request::get(question.path)
        .header(HOST, &question.host)
        .header(USER_AGENT, AGENT)
        .header(CONNECTION, "close")
        .body(Empty::<Bytes>::new())
        .map_err(|error| invalid(&error))?;
    let (mut sender, connection) = http1::Builder::new()
        .max_buf_size(BYTES_MAX)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(|error| http_error(&error))?;
    let exchange = async {
        let response = sender.send_request(request).await.map_err(|error| http_error(&error))?;
        let status = response.status().as_u16();
        drain(response).await;
        Ok(status)
    };
    driven(exchange, connection).await
}

/// The same over HTTP/2, by prior knowledge.
pub(super) async fn http2(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    question: &Question<'_>,
) -> Result<u16, ProbeError> {
    let uri = Uri::builder()
        .scheme(if question.is_tls { "https" } else { "http" })
        .authority(question.host.as_str())
        .path_and_query(question.path)
        .build()
        .map_err(|error| invalid(&error))?;
    let request = Request::get(uri).header(USER_AGENT, AGENT).body(()).map_err(|error| invalid(&error))?;
    let (mut sender, connection) = h2::client::Builder::new()
        .enable_push(false)
        .initial_window_size(BYTES_MAX as u32)
        .initial_connection_window_size(BYTES_MAX as u32)
        .max_header_list_size(BYTES_MAX as u32)
        .handshake::<_, Bytes>(stream)
        .await
        .map_err(|error| http2_error(&error))?;
    let exchange = async {
        let (response, _) = sender.send_request(request, true).map_err(|error| http2_error(&error))?;
        // The body is not read: resetting the stream does not affect the connection, and without window
        // updates little of the body arrives.
        let status = response.await.map_err(|error| http2_error(&error))?.status();
        Ok(status.as_u16())
    };
    driven(exchange, connection).await
}

/// Runs the exchange and its connection. The connection may end first without an error; its outcome has then
/// reached the exchange.
async fn driven<E>(
    exchange: impl Future<Output = Result<u16, ProbeError>>,
    connection: impl Future<Output = Result<(), E>>,
) -> Result<u16, ProbeError> {
    let drive = async {
        let _ = connection.await;
        pending::<Infallible>().await
    };
    tokio::select! {
        status = exchange => status,
        never = drive => match never {},
    }
}

/// Reads a short body to its end, so that the target does not see a reset and log an error.
async fn drain(response: Response<Incoming>) {
    let mut body = response.into_body();
    let mut left = BYTES_MAX;
    while let Some(Ok(frame)) = body.frame().await {
        let Some(rest) = left.checked_sub(frame.data_ref().map_or(0, Bytes::len)) else { break };
        left = rest;
    }
}

fn invalid(error: &impl std::fmt::Display) -> ProbeError {
    ProbeError::Target(format!("the check's path or host is not valid: {error}"))
}

fn http_error(error: &hyper::Error) -> ProbeError {
    let what = if error.is_incomplete_message() || error.is_closed() {
        "closed before its response".to_owned()
    } else if error.is_parse() {
        format!("not an HTTP response: {error}")
    } else {
        error.to_string()
    };
    ProbeError::Target(what)
}

fn http2_error(error: &h2::Error) -> ProbeError {
    let what =
        if error.is_io() { "closed before its response".to_owned() } else { format!("HTTP/2: {error}") };
    ProbeError::Target(what)
}

const AGENT: &str = "evenkeel-health-check";
/// limit: bytes of a response's head, and of the body that is read.
pub(super) const BYTES_MAX: usize = 64 * 1024;
