//! The client of the admin API: one request over the Unix socket, for the command line.

use std::fmt;
use std::io;
use std::time::Duration;

use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::HOST;
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use tokio::net::UnixStream;
use tokio::time::timeout;

use crate::AdminAddress;

#[derive(Clone, Debug)]
pub struct Client {
    address: AdminAddress,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    pub status: u16,
    pub body: Vec<u8>,
}

#[derive(Debug)]
pub enum ClientError {
    /// No process listens at the address.
    NotRunning {
        address: AdminAddress,
        error: io::Error,
    },
    /// The socket belongs to another user.
    Denied {
        address: AdminAddress,
    },
    Timeout {
        address: AdminAddress,
    },
    /// The answer is not one of the admin API.
    Protocol {
        address: AdminAddress,
        error: String,
    },
}

impl Client {
    pub fn new(address: AdminAddress) -> Self {
        Self { address }
    }

    pub async fn read(&self, path: &str) -> Result<Reply, ClientError> {
        self.call(Method::GET, path).await
    }

    pub async fn order(&self, path: &str) -> Result<Reply, ClientError> {
        self.call(Method::POST, path).await
    }

    /// Decodes an answer.
    pub fn decode<T: DeserializeOwned>(&self, reply: &Reply) -> Result<T, ClientError> {
        if reply.status != 200 {
            return Err(self.protocol(format!("status {}", reply.status)));
        }
        serde_json::from_slice(&reply.body).map_err(|error| self.protocol(error.to_string()))
    }

    async fn call(&self, method: Method, path: &str) -> Result<Reply, ClientError> {
        let expired = || ClientError::Timeout { address: self.address.clone() };
        timeout(ANSWER_TIMEOUT, self.exchange(method, path)).await.map_err(|_| expired())?
    }

    async fn exchange(&self, method: Method, path: &str) -> Result<Reply, ClientError> {
        let stream =
            UnixStream::connect(self.address.path()).await.map_err(|error| self.unreachable(error))?;
        let protocol = |error: hyper::Error| self.protocol(error.to_string());
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(protocol)?;
        let request =
            Request::builder().method(method).uri(path).header(HOST, "evenkeel").body(Empty::<Bytes>::new());
        let request = request.map_err(|error| self.protocol(error.to_string()))?;
        let reply = async {
            let response = sender.send_request(request).await.map_err(protocol)?;
            let status = response.status().as_u16();
            let body = Limited::new(response.into_body(), BODY_BYTES_MAX).collect().await;
            let body = body.map_err(|error| self.protocol(error.to_string()))?;
            Ok(Reply { status, body: body.to_bytes().to_vec() })
        };
        // The driver's result is not needed: an error and the end of the exchange both reach `reply`.
        let (reply, _) = tokio::join!(reply, connection);
        reply
    }

    fn unreachable(&self, error: io::Error) -> ClientError {
        let address = self.address.clone();
        match error.kind() {
            io::ErrorKind::PermissionDenied => ClientError::Denied { address },
            _ => ClientError::NotRunning { address, error },
        }
    }

    fn protocol(&self, error: String) -> ClientError {
        ClientError::Protocol { address: self.address.clone(), error }
    }
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotRunning { address, error } => write!(
                f,
                "no evenkeel answers at {address}: {error}\n  help: start it with `evenkeel run -c FILE`, or set \
                 --admin or EVENKEEL_ADMIN to its address"
            ),
            Self::Denied { address } => write!(
                f,
                "{address} belongs to another user\n  help: run this command as the user that runs evenkeel"
            ),
            Self::Timeout { address } => write!(
                f,
                "evenkeel at {address} did not answer within {ANSWER_TIMEOUT:?}\n  help: check its log, and its threads \
                 with `top -H`"
            ),
            Self::Protocol { address, error } => write!(
                f,
                "the process at {address} does not speak this version's admin API: {error}\n  help: use the \
                 `evenkeel` command of the running version"
            ),
        }
    }
}

impl std::error::Error for ClientError {}

/// Longer than the server's own time limit for a request.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(70);
/// limit: bytes of an answer; 100 000 targets take about 25 MiB.
const BODY_BYTES_MAX: usize = 64 * 1024 * 1024;
