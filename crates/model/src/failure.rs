//! The table of everything that can go wrong with a request.
//!
//! One exhaustive match, [`Failure::outcome`], gives for each failure the status that the client gets, the
//! reason word that log, metrics, error page and docs use, the side that caused it, the phase of the request
//! in which it happens, and whether the request may be retried. `docs/status-codes.md` is generated from the
//! same table.

/// The side that caused the failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Client,
    Target,
    Local,
}

impl Side {
    /// The word in log and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Target => "target",
            Self::Local => "evenkeel",
        }
    }
}

/// The phase of a request in which the failure happens; the names are the steps of `proxy::http`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    ReadHead,
    Route,
    Admit,
    Pick,
    Connect,
    Forward,
    Respond,
    Relay,
}

/// Whether the request may be retried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    Never,
    /// On another target, because no byte of the request can have arrived.
    IfUnsent,
    /// If that is safe: no byte was sent, or the method is idempotent and everything received of the request is
    /// still buffered. On a new connection if this one was reused, else on another target.
    IfRepeatable,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogLevel {
    /// Normal operation, such as a client that disconnects.
    Info,
    /// An operator should look at it, but not urgently.
    Warning,
    /// Requests fail that should succeed.
    Error,
}

/// One row of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The status of our response; 499 is logged and never sent (the client has disconnected).
    pub status: u16,
    /// The reason word: unique, the same in log, metrics, error page and docs.
    pub reason: &'static str,
    /// The error type of `Proxy-Status` (RFC 9209 §2.3); `None` where no type fits and the field is not sent.
    pub proxy_error: Option<&'static str>,
    pub side: Side,
    pub phase: Phase,
    pub retry: Retry,
    pub level: LogLevel,
    /// For users: what happened.
    pub what: &'static str,
    /// For operators: what to check.
    pub hint: &'static str,
}

macro_rules! failures {
    ($($(#[$doc:meta])* $name:ident => $status:literal $reason:literal $proxy_error:expr, $side:ident $phase:ident $retry:ident $level:ident, $what:literal, $hint:literal;)*) => {
        /// What went wrong with a request.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Failure {
            $($(#[$doc])* $name,)*
        }

        impl Failure {
            /// All failures, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            pub const fn outcome(self) -> Outcome {
                match self {
                    $(Self::$name => Outcome {
                        status: $status,
                        reason: $reason,
                        proxy_error: $proxy_error,
                        side: Side::$side,
                        phase: Phase::$phase,
                        retry: Retry::$retry,
                        level: LogLevel::$level,
                        what: $what,
                        hint: $hint,
                    },)*
                }
            }

            /// The index in [`Self::ALL`], for arrays of counters.
            pub const fn index(self) -> usize {
                self as usize
            }
        }
    };
}

failures! {
    /// A head that is not HTTP/1.x as RFC 9112 defines it.
    RequestMalformed => 400 "request_malformed" Some("http_request_error"), Client ReadHead Never Info,
        "The request is not valid HTTP.", "Check what the client sends; nothing of it reached a target.";
    /// `Host` is missing, repeated or invalid, or contradicts the request target (RFC 9112 §3.2).
    RequestHost => 400 "request_host" Some("http_request_error"), Client ReadHead Never Info,
        "The request has no valid Host.", "HTTP/1.1 needs exactly one valid Host field, equal to the authority of an absolute request target.";
    /// The end of the body is ambiguous (RFC 9112 §6.3).
    RequestFraming => 400 "request_framing" Some("http_request_error"), Client ReadHead Never Warning,
        "The length of the request's body is ambiguous.", "Content-Length with Transfer-Encoding, several lengths, or a Transfer-Encoding in HTTP/1.0: often an attempt at request smuggling.";
    /// A path with an encoded separator or NUL in a segment that a rule matches.
    RequestPath => 400 "request_path" Some("http_request_error"), Client Route Never Info,
        "The request's path is not acceptable.", "It leaves the root with '..', or a server could take it for another path: `%2F`, `;`, `//..` and so on.";
    RequestLineTooLong => 414 "request_line_too_long" Some("http_request_error"), Client ReadHead Never Info,
        "The request line is too long.", "Raise `limits.request_line` if clients need it; a whole head has at most 64 KiB.";
    RequestFieldsTooLarge => 431 "request_fields_too_large" Some("http_request_error"), Client ReadHead Never Info,
        "The request's header fields are too large or too many.", "Often a cookie that grew. Raise `limits.field`, `limits.fields` or `limits.fields_count` if clients need it; a whole head has at most 64 KiB.";
    RequestVersion => 505 "request_version" Some("http_request_error"), Client ReadHead Never Info,
        "This HTTP version is not supported.", "The request line names a version other than HTTP/1.0 or HTTP/1.1.";
    /// RFC 9112 §6.1.
    RequestTransferCoding => 501 "request_transfer_coding" Some("http_request_error"), Client ReadHead Never Info,
        "The request's transfer coding is not supported.", "Only `chunked` is supported in requests.";
    /// `CONNECT`: Evenkeel is not a forward proxy.
    RequestMethod => 405 "request_method" Some("http_request_error"), Client ReadHead Never Info,
        "This method is not supported.", "CONNECT is for forward proxies, and Evenkeel is not one.";
    /// RFC 9110 §10.1.1.
    RequestExpectation => 417 "request_expectation" Some("http_request_error"), Client ReadHead Never Info,
        "The request's expectation cannot be met.", "Only `Expect: 100-continue` is supported.";
    /// The head did not arrive within `header_timeout`.
    RequestHeadTimeout => 408 "request_head_timeout" Some("http_request_error"), Client ReadHead Never Info,
        "The request's head took too long.", "A slow client or an attack; `header_timeout` is the limit for the whole head.";
    /// TLS4.
    PlainHttp => 400 "plain_http" Some("http_request_error"), Client ReadHead Never Info,
        "A request in plain HTTP was sent to a TLS port.",
        "Use https:// for this port. `redirect_http` redirects plain requests from another port.";
    /// TLS2, MT4 (RFC 9110 §15.5.20).
    Misdirected => 421 "misdirected" Some("http_request_error"), Client Admit Never Info,
        "The request's host has another certificate, or other requirements for client certificates, than the server name of the TLS handshake.",
        "The client must open a separate connection for this host; browsers and HTTP/2 clients do so automatically.";
    /// MT3.
    ClientCertificateDenied => 403 "client_certificate_denied" Some("http_request_denied"), Client Admit Never Warning,
        "The client's certificate is valid, but not allowed.",
        "`client_auth.allow` lists the allowed subjects, alternative names and fingerprints.";
    /// An access list of the load balancer, listener or rule denies the client (HTTP8).
    AccessDenied => 403 "access_denied" Some("http_request_denied"), Client Admit Never Info,
        "Access is denied.", "`access` of the load balancer, listener or rule denies the client's address; the access log's detail says which.";
    RequestBodyTooLarge => 413 "request_body_too_large" Some("http_request_error"), Client Admit Never Info,
        "The request's body is too large.", "Raise `limits.body` if clients need it.";
    /// The rule has `websocket.enabled = false`.
    WebSocketDisabled => 403 "websocket_disabled" Some("http_request_denied"), Local Admit Never Info,
        "WebSockets are not available here.", "The rule has `websocket.enabled = false`.";
    /// `Origin` is missing, repeated, or not allowed by the rule (RFC 6455 §10.2).
    WebSocketOrigin => 403 "websocket_origin" Some("http_request_denied"), Client Admit Never Info,
        "This page may not open a WebSocket here.", "`websocket.allowed_origins` of the rule does not include the request's Origin, or the request has no Origin or several.";
    /// The client offers no subprotocol, or none that the rule allows.
    WebSocketSubprotocol => 403 "websocket_subprotocol" Some("http_request_denied"), Client Admit Never Info,
        "None of the WebSocket's subprotocols is available here.", "`websocket.allowed_subprotocols` of the rule has none of those in Sec-WebSocket-Protocol.";
    /// The rule's target group has `protocol = "h2c"` or `"h2"`.
    WebSocketHttp2 => 501 "websocket_http2" Some("http_upgrade_failed"), Local Admit Never Error,
        "WebSockets are not available here.", "The target group speaks HTTP/2: WebSockets go to groups with `protocol = \"http\"` or `\"https\"`.";
    WebSocketFull => 503 "websocket_full" Some("connection_limit_reached"), Local Admit Never Warning,
        "There are too many WebSockets at the moment.", "The rule has reached `websocket.max_connections`. A client can retry later.";
    /// The request's `Via` contains our own name (RFC 5842 §7.2).
    RequestLoop => 508 "request_loop" Some("proxy_loop_detected"), Local Admit Never Error,
        "The request is in a forwarding loop.", "Its `Via` contains this load balancer's `via` name: a target forwards back to this load balancer, or two load balancers have the same name.";
    NoRule => 404 "no_rule" Some("destination_not_found"), Local Route Never Info,
        "Nothing is served at this address.", "No rule of the listener matches, and the listener has no `forward`.";
    /// TLS passthrough: the name of a TLS client has no rule (RFC 6066 §3).
    TlsUnrecognizedName => 421 "tls_unrecognized_name" None, Client Route Never Info,
        "The name that the TLS client asks for is not served here.", "Only of TCP connections: no `sni` of the listener's rules matches the client's name, or it sent none, and the listener has no `forward`.";
    /// TLS passthrough: a rule has the client's name, and none its protocols (RFC 7301 §3.2).
    TlsNoProtocol => 421 "tls_no_protocol" None, Client Route Never Info,
        "None of the TLS client's protocols is served here.", "Only of TCP connections: rules match the client but for `alpn`, which lists other protocols, and the listener has no `forward`.";
    TlsHelloMalformed => 400 "tls_hello_malformed" None, Client Route Never Info,
        "The connection begins like TLS, and its ClientHello is not valid.", "Only of TCP connections to a listener whose rules have `sni` or `alpn`: the client is broken or hostile, or its ClientHello is larger than 16 KiB.";
    TlsHelloTimeout => 408 "tls_hello_timeout" None, Client Route Never Info,
        "The TLS client's ClientHello took too long.", "Only of TCP connections to a listener whose rules have `sni` or `alpn`: `handshake_timeout` is the limit for the whole message.";
    NoTarget => 503 "no_target" Some("destination_unavailable"), Local Pick Never Error,
        "No server is available for this request.", "Every target of the group is unhealthy or has weight 0: see `evenkeel targets`.";
    TargetsFull => 503 "targets_full" Some("connection_limit_reached"), Local Pick Never Error,
        "All servers are busy.", "Every target that could take it has `max_connections` of its group in flight: see `evenkeel targets`, raise the limit, or add targets.";
    /// This machine is out of file descriptors, ports or memory.
    LocalResources => 503 "local_resources" Some("proxy_internal_response"), Local Connect Never Error,
        "The load balancer is out of resources.", "Raise the limit of open files (RLIMIT_NOFILE), or widen the range of local ports.";
    Internal => 500 "internal" Some("proxy_internal_error"), Local Respond Never Error,
        "The load balancer failed.", "This is a bug in Evenkeel: please report it with the log line.";
    TargetRefused => 502 "target_refused" Some("connection_refused"), Target Connect IfUnsent Error,
        "The server refused the connection.", "Nothing listens at the target's address, or its backlog is full; or, if the detail says so, it does not speak the `protocol` of its group.";
    TargetUnreachable => 502 "target_unreachable" Some("destination_ip_unroutable"), Target Connect IfUnsent Error,
        "The server cannot be reached.", "Check routing and firewalls between the load balancer and the target.";
    TargetConnectTimeout => 504 "target_connect_timeout" Some("connection_timeout"), Target Connect IfUnsent Error,
        "The server did not accept the connection in time.", "`timeouts.connect` is the limit. If the detail says that it connected, see whether the target speaks the `protocol` of its group; else the target is down, or a firewall drops packets.";
    /// TLS5.
    TargetTlsVerify => 502 "target_tls_verify" Some("tls_certificate_error"), Target Connect IfUnsent Error,
        "The target's certificate is not trusted for its name.",
        "Check the certificate's names, dates and CA; `tls.ca` and `tls.server_name` of the target group say what is expected.";
    TargetTls => 502 "target_tls" Some("tls_protocol_error"), Target Connect IfUnsent Error,
        "The TLS handshake with the target failed.",
        "Check that the target speaks TLS 1.2 or later on this port, and whether it requires a client certificate.";
    /// Closed or reset after the request went out and before a byte of the response.
    TargetClosedBeforeResponse => 502 "target_closed_before_response" Some("connection_terminated"), Target Respond IfRepeatable Error,
        "The server closed the connection without a response.", "The target crashed, restarted, closes idle connections, or expects another protocol than that of its group. It may have processed the request, so only a request that can be repeated goes to another target.";
    TargetResponseMalformed => 502 "target_response_malformed" Some("http_protocol_error"), Target Respond Never Error,
        "The server's response is not valid HTTP.", "Check what the target sends; the connection was closed.";
    TargetResponseFraming => 502 "target_response_framing" Some("http_protocol_error"), Target Respond Never Error,
        "The length of the server's response is ambiguous.", "Content-Length with Transfer-Encoding, or several lengths: fix the target.";
    TargetResponseFieldsTooLarge => 502 "target_response_fields_too_large" Some("http_response_header_section_size"), Target Respond Never Error,
        "The server's response has header fields that are too large.", "Raise `limits.field`, `limits.fields` or `limits.fields_count` if the target needs it.";
    /// RFC 9110 §15.2.2.
    TargetUpgradeUnasked => 502 "target_upgrade_unasked" Some("http_upgrade_failed"), Target Respond Never Error,
        "The server switched protocols without a request to do so.", "A 101 is only valid as the answer to an Upgrade to WebSocket; the connection was closed.";
    TargetResponseTimeout => 504 "target_response_timeout" Some("http_response_timeout"), Target Respond Never Error,
        "The server did not answer in time.", "`timeouts.response` is the limit until the first byte.";
    /// The target took no byte of the request for `timeouts.idle`.
    TargetSendTimeout => 504 "target_send_timeout" Some("connection_write_timeout"), Target Forward Never Error,
        "The server did not take the request in time.", "The target reads too slowly or not at all; `timeouts.idle` is the limit between two writes.";
    /// The response ended before its declared length or last chunk. Its head was already sent, so the
    /// client's connection is closed to show the client that the response is incomplete.
    TargetResponseTruncated => 502 "target_response_truncated" Some("http_response_incomplete"), Target Relay Never Error,
        "The server's response is incomplete.", "The target closed or reset the connection in the middle of the body.";
    TargetResponseBody => 502 "target_response_body" Some("http_response_transfer_coding"), Target Relay Never Error,
        "The server's response body is not valid.", "Its chunks are malformed: fix the target.";
    TargetStalled => 504 "target_stalled" Some("connection_read_timeout"), Target Relay Never Error,
        "The server stopped in the middle of its response.", "`timeouts.idle` is the limit between two reads.";
    RequestBodyMalformed => 400 "request_body_malformed" Some("http_request_error"), Client Relay Never Info,
        "The request's body is not valid.", "Its chunks or trailers are malformed.";
    RequestBodyTimeout => 408 "request_body_timeout" Some("http_request_error"), Client Relay Never Info,
        "The request's body took too long.", "`body_timeout` is the limit between two reads.";
    /// The client closed or reset the connection before it had the whole response.
    ClientAborted => 499 "client_aborted" None, Client Relay Never Info,
        "The client disconnected.", "It closed the connection before the response was complete.";
    /// The client took no byte of the response for `send_timeout`.
    ClientSendTimeout => 499 "client_send_timeout" None, Client Relay Never Info,
        "The client did not take the response in time.", "`send_timeout` is the limit between two writes.";
    /// No byte in either direction of a tunnel for `websocket.idle_timeout`; its status was 101.
    TunnelIdle => 101 "tunnel_idle" None, Local Relay Never Info,
        "The tunnel was idle too long.", "`websocket.idle_timeout` is the limit; pings from the client or the server keep a tunnel open.";
    TunnelBroken => 101 "tunnel_broken" None, Local Relay Never Info,
        "A connection of the tunnel was reset.", "The client or the target reset the connection.";
    /// The kernel timed out a connection: the peer acknowledged neither data nor TCP keepalive probes.
    PeerDead => 101 "peer_dead" None, Local Relay Never Info,
        "A peer of the tunnel is gone.", "The client, the target or the network between them failed without closing the connection.";
    /// The tunnel was open for `websocket.max_lifetime`.
    TunnelLifetime => 101 "tunnel_lifetime" None, Local Relay Never Info,
        "The tunnel has reached its maximum lifetime.", "`websocket.max_lifetime` is the limit; clients reconnect.";
    /// A stop, or a reload that removed the listener, ended the tunnel with Close frames.
    TunnelDrained => 101 "tunnel_drained" None, Local Relay Never Info,
        "The tunnel was closed for a shutdown.", "The load balancer stopped or the listener was removed, and `websocket.drain_close_code` is set; clients reconnect.";
    /// A new CRL revoked the certificate of the client of an open connection.
    ClientRevoked => 403 "client_revoked" None, Client Relay Never Warning,
        "The client's certificate was revoked.", "Only of TCP connections: a CRL that was loaded revokes it, and `close_revoked` of the listener's `client_auth` is set.";
    /// A graceful stop reached its deadline with this request in flight.
    Stopped => 503 "stopped" Some("proxy_internal_response"), Local Relay Never Warning,
        "The load balancer is stopping.", "`stop_timeout` ended before the request did; the connection was reset and nothing was sent.";
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_failure_has_its_own_reason_word() {
        let reasons: HashSet<_> = Failure::ALL.iter().map(|f| f.outcome().reason).collect();
        assert_eq!(reasons.len(), Failure::ALL.len());
        for reason in reasons {
            let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
            assert!(reason.bytes().all(is_plain), "{reason}");
        }
    }

    #[test]
    fn index_is_the_position_in_all() {
        for (position, failure) in Failure::ALL.iter().enumerate() {
            assert_eq!(failure.index(), position);
        }
    }

    #[test]
    fn only_failures_before_processing_are_retried() {
        for failure in Failure::ALL {
            let outcome = failure.outcome();
            match outcome.retry {
                Retry::Never => {}
                Retry::IfUnsent => assert_eq!((outcome.side, outcome.phase), (Side::Target, Phase::Connect)),
                Retry::IfRepeatable => assert_eq!(*failure, Failure::TargetClosedBeforeResponse),
            }
        }
    }
}
