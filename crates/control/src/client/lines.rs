//! Answers of any length, of which no more than a piece is in memory.

use std::future::pending;

use http_body_util::{BodyExt, Empty, Limited};
use hyper::Request;
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::header::HOST;
use hyper_util::rt::TokioIo;
use tokio::time::timeout;

use super::{ANSWER_TIMEOUT, BODY_BYTES_MAX, Client, ClientError, Reply};

impl Client {
    /// Reads a list of any length and passes whole lines on as they come; `each` ends the answer early with false. Returns
    /// the status, and the body if it is not a list but an error.
    pub async fn lines(&self, path: &str, each: impl FnMut(&str) -> bool) -> Result<Reply, ClientError> {
        read(self, path, each).await
    }
}

async fn read(client: &Client, path: &str, each: impl FnMut(&str) -> bool) -> Result<Reply, ClientError> {
    let stream = client.connect().await.map_err(|error| client.unreachable(error))?;
    let protocol = |error: hyper::Error| client.protocol(error.to_string());
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(protocol)?;
    let request = Request::builder().uri(path).header(HOST, "evenkeel").body(Empty::<Bytes>::new());
    let request = request.map_err(|error| client.protocol(error.to_string()))?;
    let reply = async {
        let response = timeout(ANSWER_TIMEOUT, sender.send_request(request)).await;
        let response = response.map_err(|_| client.expired())?.map_err(protocol)?;
        let status = response.status().as_u16();
        if status == 200 {
            pass_on(client, response.into_body(), each).await?;
            return Ok(Reply { status, body: Vec::new() });
        }
        let body = Limited::new(response.into_body(), BODY_BYTES_MAX).collect().await;
        let body = body.map_err(|error| client.protocol(error.to_string()))?;
        Ok(Reply { status, body: body.to_bytes().to_vec() })
    };
    // An error of the connection reaches `reply`.
    let drive = async {
        let _ = connection.await;
        pending::<()>().await;
    };
    tokio::select! {
        reply = reply => reply,
        () = drive => Err(client.expired()),
    }
}

async fn pass_on(
    client: &Client,
    mut body: Incoming,
    mut each: impl FnMut(&str) -> bool,
) -> Result<(), ClientError> {
    let mut rest: Vec<u8> = Vec::new();
    while let Some(frame) = timeout(ANSWER_TIMEOUT, body.frame()).await.map_err(|_| client.expired())? {
        let frame = frame.map_err(|error| client.protocol(format!("the list is not complete: {error}")))?;
        let Ok(data) = frame.into_data() else { continue };
        rest.extend_from_slice(&data);
        let whole = rest.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1);
        if rest.len() - whole > LINE_BYTES_MAX {
            return Err(client.protocol("a line is too long".to_owned()));
        }
        if whole > 0 {
            if !each(&String::from_utf8_lossy(&rest[..whole])) {
                return Ok(());
            }
            rest.drain(..whole);
        }
    }
    match rest.is_empty() {
        true => Ok(()),
        false => Err(client.protocol("the list is not complete".to_owned())),
    }
}

/// limit: bytes of one line.
const LINE_BYTES_MAX: usize = 64 * 1024;
