//! One probe of one target: a connection, or a request and its status.

use std::convert::Infallible;
use std::future::pending;
use std::io;
use std::net::SocketAddr;

use http_body_util::{BodyExt, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::header::{CONNECTION, HOST, USER_AGENT};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use model::{CheckKind, HealthCheck, StatusSet};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Why a probe has no success to report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ProbeError {
    /// The target's doing, in words for an operator.
    Target(String),
    /// We could not probe: no descriptor or port was left. Says nothing about the target.
    Local(String),
}

/// Probes once, within `check.timeout` over all.
pub(super) async fn probe(check: &HealthCheck, target: SocketAddr) -> Result<(), ProbeError> {
    let address = SocketAddr::new(target.ip(), check.port.unwrap_or(target.port()));
    let late = || ProbeError::Target(format!("timeout after {:?}", check.timeout));
    timeout(check.timeout, attempt(&check.kind, address)).await.map_err(|_| late())?
}

async fn attempt(kind: &CheckKind, address: SocketAddr) -> Result<(), ProbeError> {
    let stream = TcpStream::connect(address).await.map_err(|error| connect_error(&error))?;
    match kind {
        CheckKind::Tcp => Ok(()),
        CheckKind::Http { path, host, expected } => {
            let host = host.clone().unwrap_or_else(|| address.to_string());
            expect(status(stream, path, &host).await?, expected)
        }
    }
}

async fn status(stream: TcpStream, path: &str, host: &str) -> Result<u16, ProbeError> {
    let request = Request::get(path)
        .header(HOST, host)
        .header(USER_AGENT, "evenkeel-health-check")
        .header(CONNECTION, "close")
        .body(Empty::<Bytes>::new())
        .map_err(|error| ProbeError::Target(format!("the check's path or host is not valid: {error}")))?;
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
    // The connection may end first, and well; what it knows has then reached the exchange.
    let drive = async {
        let _ = connection.await;
        pending::<Infallible>().await
    };
    tokio::select! {
        status = exchange => status,
        never = drive => match never {},
    }
}

/// Reads a body of the usual length to its end, so that the target does not see a reset and log an error.
async fn drain(response: Response<Incoming>) {
    let mut body = response.into_body();
    let mut left = BYTES_MAX;
    while let Some(Ok(frame)) = body.frame().await {
        let Some(rest) = left.checked_sub(frame.data_ref().map_or(0, Bytes::len)) else { break };
        left = rest;
    }
}

fn expect(status: u16, expected: &StatusSet) -> Result<(), ProbeError> {
    if expected.contains(status) {
        return Ok(());
    }
    let range = |&(first, last): &(u16, u16)| {
        if first == last { first.to_string() } else { format!("{first}-{last}") }
    };
    let ranges: Vec<_> = expected.ranges.iter().map(range).collect();
    Err(ProbeError::Target(format!("status {status}, expected {}", ranges.join(", "))))
}

fn connect_error(error: &io::Error) -> ProbeError {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => ProbeError::Target("connect refused".to_owned()),
        _ if LOCAL_ERRORS.contains(&error.raw_os_error().unwrap_or(0)) => {
            ProbeError::Local(error.to_string())
        }
        _ => ProbeError::Target(format!("connect: {error}")),
    }
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

/// limit: of a response's head, and of what is read of its body.
const BYTES_MAX: usize = 64 * 1024;

/// EAGAIN, ENOMEM, ENFILE, EMFILE, EADDRNOTAVAIL, ENOBUFS: this machine is short of something.
const LOCAL_ERRORS: [i32; 6] = [11, 12, 23, 24, 99, 105];

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    fn check(kind: CheckKind) -> HealthCheck {
        HealthCheck {
            kind,
            interval: Duration::from_secs(5),
            timeout: Duration::from_secs(2),
            healthy: 3,
            unhealthy: 3,
            port: None,
        }
    }

    fn http(host: Option<&str>) -> HealthCheck {
        let expected = StatusSet { ranges: vec![(200, 299), (304, 304)] };
        check(CheckKind::Http { path: "/healthz?x=1".into(), host: host.map(str::to_owned), expected })
    }

    /// A target that reads one head and gives this answer; returns what it read.
    async fn answer(check: &HealthCheck, reply: &str) -> (Result<(), ProbeError>, String, SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let target = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(stream.read_u8().await.unwrap());
            }
            stream.write_all(reply.as_bytes()).await.unwrap();
            String::from_utf8(head).unwrap()
        };
        let (result, head) = tokio::join!(probe(check, address), target);
        (result, head, address)
    }

    fn target_error<T>(text: &str) -> Result<T, ProbeError> {
        Err(ProbeError::Target(text.to_owned()))
    }

    #[tokio::test]
    async fn asks_as_configured() {
        let (result, head, address) = answer(&http(None), "HTTP/1.1 204 No Content\r\n\r\n").await;
        assert_eq!(result, Ok(()));
        assert!(head.starts_with("GET /healthz?x=1 HTTP/1.1\r\n"), "{head}");
        for line in [
            format!("host: {address}"),
            "user-agent: evenkeel-health-check".into(),
            "connection: close".into(),
        ] {
            assert!(head.lines().any(|written| written == line), "{line} in {head}");
        }
        let (_, head, _) = answer(&http(Some("shop.example")), "HTTP/1.1 204 No Content\r\n\r\n").await;
        assert!(head.contains("host: shop.example\r\n"), "{head}");
    }

    #[tokio::test]
    async fn judges_by_the_status() {
        for (reply, expected) in [
            ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", Ok(())),
            ("HTTP/1.0 200 OK\r\n\r\nuntil it closes", Ok(())),
            ("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort", Ok(())),
            ("HTTP/1.1 304 Not Modified\r\n\r\n", Ok(())),
            (
                "HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n",
                target_error("status 503, expected 200-299, 304"),
            ),
            ("", target_error("closed before its response")),
        ] {
            assert_eq!(answer(&http(None), reply).await.0, expected, "{reply:?}");
        }
    }

    #[tokio::test]
    async fn garbage_and_endless_heads_are_the_targets_fault() {
        let endless = format!("HTTP/1.1 200 OK\r\nX: {}", "x".repeat(2 * BYTES_MAX));
        for reply in ["SSH-2.0-OpenSSH_9.9\r\n", endless.as_str()] {
            let (result, ..) = answer(&http(None), reply).await;
            assert!(matches!(result, Err(ProbeError::Target(_))), "{result:?}");
        }
    }

    #[tokio::test]
    async fn a_connection_is_enough_for_tcp_and_a_port_may_be_its_own() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        assert_eq!(probe(&check(CheckKind::Tcp), address).await, Ok(()));
        let elsewhere = SocketAddr::new(address.ip(), 1);
        let own_port = HealthCheck { port: Some(address.port()), ..check(CheckKind::Tcp) };
        assert_eq!(probe(&own_port, elsewhere).await, Ok(()));
        drop(listener);
        assert_eq!(probe(&own_port, elsewhere).await, target_error("connect refused"));
    }

    #[tokio::test]
    async fn silence_ends_at_the_timeout() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let short = HealthCheck { timeout: Duration::from_millis(50), ..http(None) };
        let result = probe(&short, listener.local_addr().unwrap()).await;
        assert_eq!(result, target_error("timeout after 50ms"));
    }

    #[test]
    fn what_this_machine_lacks_is_not_held_against_the_target() {
        for (code, local) in [(24, true), (99, true), (111, false), (113, false)] {
            let error = connect_error(&io::Error::from_raw_os_error(code));
            assert_eq!(matches!(error, ProbeError::Local(_)), local, "{code}");
        }
    }
}
