//! What a listener has only if it serves HTTP.

use std::sync::Arc;
use std::time::Duration;

use crate::{Action, Cidr, Compression, Http2, HttpLimits, Rule, StatusSet};

/// The service of a listener with `protocol = "http"` or `"https"`.
#[derive(Clone, Debug)]
pub struct HttpService {
    pub settings: HttpSettings,
    /// In the order of the file.
    pub rules: Vec<Rule>,
    /// What happens when no rule matches; `None` is 404.
    pub default_action: Option<Action>,
}

/// Settings of HTTP that a listener inherits from its load balancer and may override.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpSettings {
    /// KA1: 0–3600 s; zero means that every response closes.
    pub keepalive_timeout: Duration,
    /// KA8: 1–10 000 000.
    pub keepalive_requests: u32,
    /// KA12: for the whole head.
    pub header_timeout: Duration,
    /// KA12: between two reads of a body.
    pub body_timeout: Duration,
    /// KA12: between two writes to the client.
    pub send_timeout: Duration,
    /// KA12: of a client that sends a body or reads a response; `None` is no limit.
    pub min_rate: Option<MinRate>,
    pub limits: HttpLimits,
    pub forwarded: ForwardedHeaders,
    /// Peers whose `X-Forwarded-*`, `Forwarded` and `X-Request-Id` are trusted.
    pub trusted_proxies: Vec<Cidr>,
    pub client_abort: ClientAbort,
    /// Our own name in `Via`; a token.
    pub via: Option<String>,
    /// Responses carry the id of their request in `X-Request-Id`.
    pub response_ids: bool,
    pub error_pages: Vec<ErrorPage>,
    pub compression: Option<Compression>,
    pub http2: Http2,
    pub encoded_slash: EncodedSlash,
}

impl Default for HttpSettings {
    fn default() -> Self {
        Self {
            keepalive_timeout: Duration::from_secs(75),
            keepalive_requests: 10_000,
            header_timeout: Duration::from_secs(60),
            body_timeout: Duration::from_secs(60),
            send_timeout: Duration::from_secs(60),
            min_rate: Some(MinRate::default()),
            limits: HttpLimits::default(),
            forwarded: ForwardedHeaders::default(),
            trusted_proxies: Vec::new(),
            client_abort: ClientAbort::Cancel,
            via: None,
            response_ids: true,
            error_pages: Vec::new(),
            compression: None,
            http2: Http2::default(),
            encoded_slash: EncodedSlash::Pass,
        }
    }
}

/// How slowly a client may send or read while it is waited for (KA12).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MinRate {
    /// At least 1.
    pub bytes_per_second: u32,
    /// How long a client may fall behind.
    pub grace: Duration,
}

impl Default for MinRate {
    fn default() -> Self {
        Self { bytes_per_second: 128, grace: Duration::from_secs(60) }
    }
}

/// What happens to a request when its client disconnects (KA7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientAbort {
    /// The target's connection is closed at once.
    Cancel,
    /// The request goes on; its response is read and discarded.
    Ignore,
}

/// What happens to a path that hides `/`, `\` or NUL, if the same rule decides however the target decodes it. Otherwise it
/// is refused in any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EncodedSlash {
    Refuse,
    Pass,
}

/// Which forwarding headers are sent to targets (HTTP5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ForwardedHeaders {
    /// `X-Forwarded-For`, `-Proto`, `-Host`, `-Port`.
    pub x_forwarded: bool,
    /// `Forwarded` (RFC 7239).
    pub forwarded: bool,
}

impl Default for ForwardedHeaders {
    fn default() -> Self {
        Self { x_forwarded: true, forwarded: false }
    }
}

/// An operator's page for error responses that we generate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorPage {
    pub statuses: StatusSet,
    pub content_type: String,
    pub body: Arc<[u8]>,
}
