//! What a connection speaks, by its first bytes.

use net::{Buffer, SMALL, Sys};

use super::client::Client;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    Http1,
    Http2,
    /// A TLS handshake where plain HTTP or a TLS session is served (TLS4).
    Tls,
    /// HTTP/1.1 or HTTP/2: more bytes must be read.
    Undecided,
}

impl Protocol {
    /// HTTP/2 within TLS is agreed on by ALPN and never comes here.
    pub(super) fn of<S: Sys>(client: &Client<S>, input: &Buffer) -> Self {
        if client.requests > 0 || client.tls().is_some() {
            return Self::Http1;
        }
        let is_http2_enabled = || client.bound.listener.borrow().plan.http.http2.is_enabled;
        match Self::of_bytes(input.bytes()) {
            Self::Http2 | Self::Undecided if !is_http2_enabled() => Self::Http1,
            protocol => protocol,
        }
    }

    fn of_bytes(bytes: &[u8]) -> Self {
        match bytes {
            [0x16] | [0x16, 3, ..] => Self::Tls,
            _ if bytes.starts_with(PREFACE) => Self::Http2,
            _ if PREFACE.starts_with(bytes) => Self::Undecided,
            _ => Self::Http1,
        }
    }

    /// Reads more until the protocol is known, or no more bytes come.
    pub(super) async fn read<S: Sys>(client: &Client<S>, input: &mut Buffer) -> Self {
        let mut protocol = Self::of(client, input);
        if protocol == Self::Undecided {
            let timeout = client.bound.listener.borrow().plan.http.header_timeout;
            client.stream.set_read_deadline(client.proxy.worker.after(timeout));
        }
        while protocol == Self::Undecided {
            protocol = match client.stream.fill(input, SMALL).await {
                Ok(count) if count > 0 => Self::of(client, input),
                // The end or the error shows again when the head is read.
                _ => Self::Http1,
            };
        }
        protocol
    }
}

/// The beginning of the HTTP/2 connection preface (RFC 9113 §3.4). No method of HTTP/1.1 has this name.
const PREFACE: &[u8] = b"PRI ";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_bytes_tell_the_protocol() {
        for (bytes, expected) in [
            (&b"P"[..], Protocol::Undecided),
            (b"PRI", Protocol::Undecided),
            (b"PRI ", Protocol::Http2),
            (b"PRI * HTTP/2.0\r\n", Protocol::Http2),
            (b"PR ", Protocol::Http1),
            (b"POST ", Protocol::Http1),
            (b"G", Protocol::Http1),
            (b"\x16", Protocol::Tls),
            (b"\x16\x03\x01", Protocol::Tls),
            (b"\x16\x04", Protocol::Http1),
            (b"", Protocol::Undecided),
        ] {
            assert_eq!(Protocol::of_bytes(bytes), expected, "{bytes:?}");
        }
    }
}
