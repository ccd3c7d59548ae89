//! A single probe of a target: a connection, or a request and its status.

mod answer;
mod exchange;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use model::{CheckKind, HealthCheck, HttpLimits, ProxyVersion, StatusSet};
use proto::proxy_protocol::{Told, Transport, Values, write_v1, write_v2};
use proxy::GroupPlan;
use tls::Connector;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::client::Resumption;

use exchange::{Question, http1, http2};

/// Why a probe did not succeed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ProbeError {
    /// The target failed the probe; the text is for operators.
    Target(String),
    /// The probe could not be made, for lack of a descriptor or port. It is not a result about the target.
    Local(String),
}

impl ProbeError {
    /// In printable ASCII, and not longer than a line of the log: a target has a say in some of it, such as the names of
    /// its certificate.
    fn shortened(self) -> Self {
        match self {
            Self::Target(text) => Self::Target(shortened(&text)),
            Self::Local(text) => Self::Local(shortened(&text)),
        }
    }
}

fn shortened(text: &str) -> String {
    let mut short = String::new();
    for c in text.chars() {
        let before = short.len();
        match c {
            ' '..='~' => short.push(c),
            other => short.extend(other.escape_default()),
        }
        if short.len() > TEXT_BYTES_MAX {
            short.truncate(before);
            short.push_str("...");
            break;
        }
    }
    short
}

/// How to connect to the targets of a group.
#[derive(Clone, Debug, Default)]
pub(super) struct Way {
    tls: Option<(Arc<Connector>, Arc<ClientConfig>)>,
    is_http2: bool,
    /// With which PROXY header connections begin. It names no client.
    introduction: Option<ProxyVersion>,
    /// Of the response.
    limits: HttpLimits,
}

impl Way {
    pub(super) fn of(plan: &GroupPlan, limits: HttpLimits) -> Self {
        let with_config = |connector: &Arc<Connector>| {
            let mut config = ClientConfig::clone(&connector.config());
            // No session resumption, because with it a target would not present its current certificate.
            config.resumption = Resumption::disabled();
            (Arc::clone(connector), Arc::new(config))
        };
        Self {
            tls: plan.connector.as_ref().map(with_config),
            is_http2: plan.group.protocol.is_http2(),
            introduction: plan.group.proxy_protocol_out,
            limits,
        }
    }

    /// Whether probes over both give the same result.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        let connector = |way: &Self| way.tls.as_ref().map(|(connector, _)| Arc::clone(connector));
        let (one, another) = (connector(self), connector(other));
        self.is_http2 == other.is_http2
            && self.introduction == other.introduction
            && self.limits == other.limits
            && Connector::are_same(one.as_ref(), another.as_ref())
    }

    /// Sends the PROXY header that the group's targets expect, at their own port.
    async fn introduce(&self, stream: &mut TcpStream) -> Result<(), ProbeError> {
        let mut header = Vec::new();
        match self.introduction {
            None => return Ok(()),
            Some(ProxyVersion::V1) => write_v1(None, &mut header),
            // It has no values, so it cannot be too long.
            Some(ProxyVersion::V2) => {
                let _ = write_v2(Told::Own, Transport::Stream, &Values::default(), false, &mut header);
            }
        }
        stream.write_all(&header).await.map_err(|error| ProbeError::Target(error.to_string()))
    }

    /// Makes the same handshake as a request.
    async fn secure(
        &self,
        stream: TcpStream,
        address: SocketAddr,
    ) -> Result<TlsStream<TcpStream>, ProbeError> {
        let Some((connector, config)) = &self.tls else {
            return Err(ProbeError::Target("the group has no TLS".to_owned()));
        };
        let handshake = TlsConnector::from(Arc::clone(config));
        let stream = handshake
            .connect(connector.server_name(address.ip()), stream)
            .await
            .map_err(|error| ProbeError::Target(format!("TLS: {error}")))?;
        let agreed = stream.get_ref().1.alpn_protocol();
        if self.is_http2 && agreed != Some(tls::H2) {
            return Err(ProbeError::Target("TLS: it does not speak HTTP/2".to_owned()));
        }
        Ok(stream)
    }
}

/// Probes once; the whole probe is limited by `check.timeout`.
pub(super) async fn probe(check: &HealthCheck, way: &Way, target: SocketAddr) -> Result<(), ProbeError> {
    let address = SocketAddr::new(target.ip(), check.port.unwrap_or(target.port()));
    let late = || ProbeError::Target(format!("timeout after {:?}", check.timeout));
    let outcome = timeout(check.timeout, attempt(check, way, address)).await;
    outcome.map_err(|_| late()).flatten().map_err(ProbeError::shortened)
}

async fn attempt(check: &HealthCheck, way: &Way, address: SocketAddr) -> Result<(), ProbeError> {
    let mut stream = TcpStream::connect(address).await.map_err(|error| connect_error(&error))?;
    if check.port.is_none() {
        way.introduce(&mut stream).await?;
    }
    let CheckKind::Http { is_tls, path, host, expected } = &check.kind else { return Ok(()) };
    let host = host.clone().unwrap_or_else(|| address.to_string());
    let question = Question { is_tls: *is_tls, host, path, limits: way.limits };
    let status = match (*is_tls, way.is_http2) {
        (true, false) => http1(way.secure(stream, address).await?, &question).await?,
        (true, true) => http2(way.secure(stream, address).await?, &question).await?,
        // A group with TLS is probed at a separate port without TLS, where targets speak HTTP/1.1.
        (false, true) if way.tls.is_none() => http2(stream, &question).await?,
        (false, _) => http1(stream, &question).await?,
    };
    expect(status, expected)
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

// limit: bytes of an error's text.
const TEXT_BYTES_MAX: usize = 200;
/// The errors that mean that this machine is out of a resource: EAGAIN, ENOMEM, ENFILE, EMFILE,
/// EADDRNOTAVAIL, ENOBUFS.
const LOCAL_ERRORS: [i32; 6] = [11, 12, 23, 24, 99, 105];

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::answer::BODY_BYTES_MAX;
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
        check(CheckKind::Http {
            is_tls: false,
            path: "/healthz?x=1".into(),
            host: host.map(str::to_owned),
            expected,
        })
    }

    /// Probes a target that reads one head and sends `reply`; also returns the head.
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
        let way = Way::default();
        let (result, head) = tokio::join!(probe(check, &way, address), target);
        (result, head, address)
    }

    fn target_error<T>(text: &str) -> Result<T, ProbeError> {
        Err(ProbeError::Target(text.to_owned()))
    }

    #[tokio::test]
    async fn the_request_is_as_configured() {
        let (result, head, address) = answer(&http(None), "HTTP/1.1 204 No Content\r\n\r\n").await;
        assert_eq!(result, Ok(()));
        assert!(head.starts_with("GET /healthz?x=1 HTTP/1.1\r\n"), "{head}");
        for line in [
            format!("Host: {address}"),
            "User-Agent: evenkeel-health-check".into(),
            "Connection: close".into(),
        ] {
            assert!(head.lines().any(|written| written == line), "{line} in {head}");
        }
        let (_, head, _) = answer(&http(Some("shop.example")), "HTTP/1.1 204 No Content\r\n\r\n").await;
        assert!(head.contains("Host: shop.example\r\n"), "{head}");
    }

    #[tokio::test]
    async fn the_status_decides() {
        for (reply, expected) in [
            ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", Ok(())),
            ("HTTP/1.0 200 OK\r\n\r\nuntil it closes", Ok(())),
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort",
                target_error("closed within the response's body"),
            ),
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
    async fn invalid_and_endless_heads_fail_the_probe() {
        let endless = format!("HTTP/1.1 200 OK\r\nX: {}", "x".repeat(2 * BODY_BYTES_MAX));
        for reply in ["SSH-2.0-OpenSSH_9.9\r\n", endless.as_str()] {
            let (result, ..) = answer(&http(None), reply).await;
            assert!(matches!(result, Err(ProbeError::Target(_))), "{result:?}");
        }
    }

    #[tokio::test]
    async fn tcp_needs_only_a_connection_and_a_check_can_have_its_own_port() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        assert_eq!(probe(&check(CheckKind::Tcp), &Way::default(), address).await, Ok(()));
        let elsewhere = SocketAddr::new(address.ip(), 1);
        let own_port = HealthCheck { port: Some(address.port()), ..check(CheckKind::Tcp) };
        assert_eq!(probe(&own_port, &Way::default(), elsewhere).await, Ok(()));
        drop(listener);
        assert_eq!(probe(&own_port, &Way::default(), elsewhere).await, target_error("connect refused"));
    }

    #[tokio::test]
    async fn a_silent_target_fails_at_the_timeout() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let short = HealthCheck { timeout: Duration::from_millis(50), ..http(None) };
        let result = probe(&short, &Way::default(), listener.local_addr().unwrap()).await;
        assert_eq!(result, target_error("timeout after 50ms"));
    }

    fn frame(kind: u8, stream: u8, payload: &[u8]) -> Vec<u8> {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        [&length[1..], &[kind, 0, 0, 0, 0, stream], payload].concat()
    }

    /// Probes a target that speaks HTTP/2 and answers the request with these bytes.
    async fn http2_answer(reply: &[u8]) -> Result<(), ProbeError> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let target = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.write_all(&frame(SETTINGS, 0, &[])).await.unwrap();
            stream.read_exact(&mut [0; 24]).await.unwrap();
            loop {
                let mut head = [0; 9];
                stream.read_exact(&mut head).await.unwrap();
                let length = usize::from(head[1]) << 8 | usize::from(head[2]);
                stream.read_exact(&mut vec![0; length]).await.unwrap();
                if head[3] == HEADERS {
                    break;
                }
            }
            stream.write_all(reply).await.unwrap();
            stream
        };
        let way = Way { is_http2: true, ..Way::default() };
        let check = http(None);
        tokio::join!(probe(&check, &way, address), target).0
    }

    #[tokio::test]
    async fn an_http2_error_says_whose_it_is_and_not_what_the_target_says() {
        let calm = [&[0, 0, 0, 0, 0, 0, 0, 11][..], &b"not\nfor the log ".repeat(900)].concat();
        for (reply, expected) in [
            (frame(GOAWAY, 0, &calm), "HTTP/2: the target ended the connection: ENHANCE_YOUR_CALM"),
            (frame(RST_STREAM, 1, &[0, 0, 0, 7]), "HTTP/2: the target reset the stream: REFUSED_STREAM"),
            (frame(SETTINGS, 0, &[0; 5]), "HTTP/2: the target broke the protocol: PROTOCOL_ERROR"),
        ] {
            assert_eq!(http2_answer(&reply).await, target_error(expected));
        }
    }

    const HEADERS: u8 = 1;
    const RST_STREAM: u8 = 3;
    const SETTINGS: u8 = 4;
    const GOAWAY: u8 = 7;

    #[test]
    fn texts_of_errors_are_short_and_printable() {
        let long = "a".repeat(TEXT_BYTES_MAX);
        let cut = "a".repeat(TEXT_BYTES_MAX - 1) + "...";
        for (text, expected) in [
            ("status 503, expected \"200\"", "status 503, expected \"200\""),
            ("a\nb\u{1b}[1m\u{202e}", "a\\nb\\u{1b}[1m\\u{202e}"),
            (&long, &long),
            (&(long.clone() + "b"), &(long.clone() + "...")),
            (&("a".repeat(TEXT_BYTES_MAX - 1) + "\n"), &cut),
        ] {
            assert_eq!(shortened(text), expected);
        }
    }

    #[test]
    fn local_resource_errors_are_not_failures_of_the_target() {
        for (code, local) in [(24, true), (99, true), (111, false), (113, false)] {
            let error = connect_error(&io::Error::from_raw_os_error(code));
            assert_eq!(matches!(error, ProbeError::Local(_)), local, "{code}");
        }
    }
}
