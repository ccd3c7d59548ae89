//! The client of the admin API: one request over the Unix socket, for the command line.

mod lines;

use std::fmt;
use std::io;
use std::time::Duration;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::{CONTENT_TYPE, HOST};
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::UnixStream;
use tokio::time::timeout;

use crate::AdminAddress;
use crate::places::{Trust, asking_user, places};

#[derive(Clone, Debug)]
pub struct Client {
    address: AdminAddress,
    /// The users that may answer; `None`: the address was named, and any user may.
    trust: Option<Trust>,
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
    /// No process listens at any of the usual places; each with the reason.
    Nowhere(Vec<(AdminAddress, io::Error)>),
    /// Several processes listen, none of them at the default place of this user.
    Several(Vec<AdminAddress>),
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
    /// The client of the process at an address that the user named; it may belong to any user.
    pub fn new(address: AdminAddress) -> Self {
        Self { address, trust: None }
    }

    /// The client of the process that listens at the default place of this user, or else at the only other place where one
    /// does. It talks to no process of a user that [`Trust`] does not include.
    pub async fn find() -> Result<Self, ClientError> {
        Self::find_at(places()).await
    }

    async fn find_at(places: Vec<AdminAddress>) -> Result<Self, ClientError> {
        let (mut found, mut silent) = (Vec::new(), Vec::new());
        for (number, place) in places.into_iter().enumerate() {
            match Self::found(place.clone()).await {
                Err(error) => silent.push((place, error)),
                Ok(client) if number == 0 => return Ok(client),
                Ok(client) => found.push(client),
            }
        }
        if found.len() > 1 {
            return Err(ClientError::Several(found.into_iter().map(|client| client.address).collect()));
        }
        found.pop().ok_or(ClientError::Nowhere(silent))
    }

    async fn found(place: AdminAddress) -> io::Result<Self> {
        let trust = Trust::at(place.path(), asking_user())?;
        let client = Self { address: place, trust: Some(trust) };
        match client.connect().await {
            // WouldBlock: the accept queue is full, so a process listens.
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(error),
            _ => Ok(client),
        }
    }

    /// Also checks the user of the process that listens: the file may have been replaced since [`Trust::at`] looked at it.
    async fn connect(&self) -> io::Result<UnixStream> {
        let stream = UnixStream::connect(self.address.path()).await?;
        if let Some(trust) = self.trust {
            trust.admit(stream.peer_cred()?.uid())?;
        }
        Ok(stream)
    }

    pub async fn read(&self, path: &str) -> Result<Reply, ClientError> {
        self.call(Method::GET, path, Vec::new()).await
    }

    pub async fn order(&self, path: &str) -> Result<Reply, ClientError> {
        self.call(Method::POST, path, Vec::new()).await
    }

    /// Sends a command with a JSON body.
    pub async fn ask(&self, path: &str, question: &impl Serialize) -> Result<Reply, ClientError> {
        let body = serde_json::to_vec(question).map_err(|error| self.protocol(error.to_string()))?;
        self.call(Method::POST, path, body).await
    }

    /// Decodes an answer.
    pub fn decode<T: DeserializeOwned>(&self, reply: &Reply) -> Result<T, ClientError> {
        if reply.status != 200 {
            return Err(self.protocol(format!("status {}", reply.status)));
        }
        serde_json::from_slice(&reply.body).map_err(|error| self.protocol(error.to_string()))
    }

    async fn call(&self, method: Method, path: &str, body: Vec<u8>) -> Result<Reply, ClientError> {
        timeout(ANSWER_TIMEOUT, self.exchange(method, path, body)).await.map_err(|_| self.expired())?
    }

    fn expired(&self) -> ClientError {
        ClientError::Timeout { address: self.address.clone() }
    }

    async fn exchange(&self, method: Method, path: &str, body: Vec<u8>) -> Result<Reply, ClientError> {
        let stream = self.connect().await.map_err(|error| self.unreachable(error))?;
        let protocol = |error: hyper::Error| self.protocol(error.to_string());
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(protocol)?;
        let request = Request::builder().method(method).uri(path).header(HOST, "evenkeel");
        let request = match body.is_empty() {
            true => request,
            false => request.header(CONTENT_TYPE, "application/json"),
        };
        let request = request.body(Full::new(Bytes::from(body)));
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
            Self::Nowhere(looked) => {
                f.write_str("no evenkeel answers\n")?;
                for (address, error) in looked {
                    writeln!(f, "  at {address}: {error}")?;
                }
                f.write_str(
                    "  help: start it with `evenkeel run -c FILE`, or set --admin or EVENKEEL_ADMIN to its address",
                )
            }
            Self::Several(found) => {
                f.write_str("several evenkeels answer\n")?;
                for address in found {
                    writeln!(f, "  at {address}")?;
                }
                f.write_str("  help: choose one with --admin or EVENKEEL_ADMIN")
            }
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

#[cfg(test)]
mod tests {
    use tokio::net::UnixListener;

    use super::*;

    #[tokio::test]
    async fn the_one_that_answers_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let [own, service, user] =
            ["own", "service", "user"].map(|name| AdminAddress::from(folder.path().join(name)));
        let places = || vec![own.clone(), service.clone(), user.clone()];
        drop(UnixListener::bind(service.path()).unwrap());
        let error = Client::find_at(places()).await.unwrap_err().to_string();
        std::fs::remove_file(service.path()).unwrap();
        assert!(places().iter().all(|place| error.contains(&format!("at {place}: "))), "{error}");
        let _user = UnixListener::bind(user.path()).unwrap();
        assert_eq!(Client::find_at(places()).await.unwrap().address, user);
        let _service = UnixListener::bind(service.path()).unwrap();
        let error = Client::find_at(places()).await.unwrap_err().to_string();
        assert!(error.contains("--admin") && error.contains(&user.to_string()), "{error}");
        let _own = UnixListener::bind(own.path()).unwrap();
        assert_eq!(Client::find_at(places()).await.unwrap().address, own);
    }
}
