//! One request and the status of its response, over any byte stream.

use std::convert::Infallible;
use std::future::{Future, pending, poll_fn};
use std::io;

use h2::RecvStream;
use h2::client::ResponseFuture;
use http::uri::Scheme;
use hyper::body::Bytes;
use model::{Failure, HttpLimits};
use proto::http1::{Method, RequestHead};
use proto::http2::{BodyText, Malformed, ROOM_MIN, read_request, write_response};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::Instant;

use super::ProbeError;
use super::answer::{Answer, BODY_BYTES_MAX};

#[derive(Debug)]
pub(super) struct Question<'a> {
    pub(super) is_tls: bool,
    pub(super) host: String,
    pub(super) path: &'a str,
    pub(super) limits: HttpLimits,
}

impl Question<'_> {
    fn text(&self) -> String {
        let Self { path, host, .. } = self;
        format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: {AGENT}\r\nConnection: close\r\n\r\n")
    }
}

/// Sends the request over HTTP/1.1 and returns the status of the response. A short body is read to its end, so that the
/// target does not see a reset and log an error.
pub(super) async fn http1(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    question: &Question<'_>,
) -> Result<u16, ProbeError> {
    let (mut answer, began) = (Answer::new(question.limits), Instant::now());
    stream.write_all(question.text().as_bytes()).await.map_err(|error| io_error(&error))?;
    stream.flush().await.map_err(|error| io_error(&error))?;
    let mut bytes = vec![0; READ_BYTES];
    loop {
        let count = stream.read(&mut bytes).await.map_err(|error| io_error(&error))?;
        if count == 0 {
            return answer.end().map_err(ProbeError::Target);
        }
        if let Some(status) = answer.take(&bytes[..count], nanos(began)).map_err(ProbeError::Target)? {
            return Ok(status);
        }
    }
}

/// The same over HTTP/2, by prior knowledge. The response is read as HTTP/1.1 text, as that to a request is.
pub(super) async fn http2(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    question: &Question<'_>,
) -> Result<u16, ProbeError> {
    let scheme = if question.is_tls { Scheme::HTTPS } else { Scheme::HTTP };
    let (request, ..) = read_request(&mut RequestHead::new(), question.text().as_bytes(), scheme)
        .map_err(|error| invalid(error.detail))?;
    let (mut sender, connection) = h2::client::Builder::new()
        .enable_push(false)
        .initial_window_size(BODY_BYTES_MAX as u32)
        .initial_connection_window_size(BODY_BYTES_MAX as u32)
        .max_header_list_size(proxy::HTTP2_HEADER_LIST_BYTES_MAX)
        .handshake::<_, Bytes>(stream)
        .await
        .map_err(|error| http2_error(&error))?;
    let exchange = async {
        let (response, _) = sender.send_request(request, true).map_err(|error| http2_error(&error))?;
        read_http2(response, Answer::new(question.limits)).await
    };
    driven(exchange, connection).await
}

async fn read_http2(mut response: ResponseFuture, mut answer: Answer) -> Result<u16, ProbeError> {
    let began = Instant::now();
    let mut text = Vec::new();
    while let Some(head) = poll_fn(|context| response.poll_informational(context)).await {
        let (head, ()) = head.map_err(|error| http2_error(&error))?.into_parts();
        write_response(&head, false, Method::Get, &mut text).map_err(malformed)?;
        answer.take(&text, nanos(began)).map_err(ProbeError::Target)?;
        text.clear();
    }
    let (head, mut body) = response.await.map_err(|error| http2_error(&error))?.into_parts();
    let framing = write_response(&head, body.is_end_stream(), Method::Get, &mut text).map_err(malformed)?;
    let mut writer = BodyText::new(framing);
    loop {
        if let Some(status) = answer.take(&text, nanos(began)).map_err(ProbeError::Target)? {
            return Ok(status);
        }
        text.clear();
        if !read_data(&mut body, &mut writer, &mut text).await? && text.is_empty() {
            return answer.end().map_err(ProbeError::Target);
        }
    }
}

/// Appends the text of the next DATA frame, or of the end of the body; `false`: it was the end.
async fn read_data(
    body: &mut RecvStream,
    writer: &mut BodyText,
    text: &mut Vec<u8>,
) -> Result<bool, ProbeError> {
    let Some(data) = body.data().await else {
        let trailers = body.trailers().await.map_err(|error| http2_error(&error))?;
        writer.end(trailers.as_ref(), text).map_err(malformed)?;
        return Ok(false);
    };
    let data = data.map_err(|error| http2_error(&error))?;
    let mut left = &data[..];
    while !left.is_empty() {
        let start = text.len();
        text.resize(start + left.len() + ROOM_MIN, 0);
        let filled = writer.fill(left, &mut text[start..]).map_err(malformed)?;
        text.truncate(start + filled.written);
        left = &left[filled.taken..];
    }
    // An error means that the stream is over, which the next read tells.
    let _ = body.flow_control().release_capacity(data.len());
    Ok(true)
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

fn nanos(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_nanos()).unwrap_or(u64::MAX)
}

fn invalid(detail: &str) -> ProbeError {
    ProbeError::Target(format!("the check's path or host is not valid: {detail}"))
}

fn malformed(Malformed { detail }: Malformed) -> ProbeError {
    ProbeError::Target(format!("{}: {detail}", Failure::TargetResponseMalformed.outcome().reason))
}

fn io_error(error: &io::Error) -> ProbeError {
    ProbeError::Target(match error.kind() {
        io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => "reset by the target".to_owned(),
        io::ErrorKind::UnexpectedEof => "TLS: closed without close_notify".to_owned(),
        _ => error.to_string(),
    })
}

/// Says which side has failed, and with which code. What a target adds in words, the debug data of a GOAWAY, is not repeated.
fn http2_error(error: &h2::Error) -> ProbeError {
    if error.is_io() {
        return ProbeError::Target("closed before its response".to_owned());
    }
    let Some(reason) = error.reason() else { return ProbeError::Target(format!("HTTP/2: {error}")) };
    let what = match error {
        error if error.is_remote() && error.is_go_away() => "the target ended the connection",
        error if error.is_remote() => "the target reset the stream",
        error if error.is_library() => "the target broke the protocol",
        _ => "ended by the probe",
    };
    ProbeError::Target(format!("HTTP/2: {what}: {reason:?}"))
}

const AGENT: &str = "evenkeel-health-check";
const READ_BYTES: usize = 16 * 1024;
