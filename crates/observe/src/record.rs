//! The access record: one finished request, written as one line. `proxy::http` fills it in `finish`, the only
//! place where a request is logged and counted. `docs/access-log.md` describes the fields.

mod connection;
mod fields;

use std::net::{IpAddr, SocketAddr};

use model::{ContentCoding, Failure, ListenerName, LogFormat, TargetGroupName};

use crate::escape::{push_number, push_token};
use crate::{MadeBy, PhaseTimes, SessionOutcome, Timestamp};
use fields::{Fields, Json, Text, key};

pub use connection::ConnectionRecord;

/// The fields of one request. All are borrowed or copied, so that writing a record allocates nothing.
#[derive(Clone, Copy, Debug)]
pub struct AccessRecord<'a> {
    /// When the request was finished, in microseconds since 1970. It began `phases.total` earlier.
    pub unix_micros: u64,
    pub request_id: &'a [u8],
    pub listener: &'a ListenerName,
    /// The client's address: the remote address, or the one that trusted proxies forwarded.
    pub client: IpAddr,
    /// The remote address of the connection: the client, or a proxy in front of us.
    pub peer: SocketAddr,
    /// As sent. It is empty if the head could not be read; the same holds for `host` and `request_target`.
    pub method: &'a [u8],
    pub host: &'a [u8],
    /// Path and query as sent (RFC 9112 §3.2).
    pub request_target: &'a [u8],
    /// `1.0`, `1.1`, `2` or `3`; empty if the head could not be read.
    pub version: &'static str,
    /// The status that the client got, or would have got.
    pub status: u16,
    pub made_by: MadeBy,
    pub failure: Option<Failure>,
    /// Details beyond the failure's reason word, for people; may be empty.
    pub detail: &'static str,
    /// The index of the rule that matched, from 0. `None` is the default action or no match.
    pub rule: Option<u32>,
    pub group: Option<&'a TargetGroupName>,
    /// The target of the last attempt.
    pub target: Option<SocketAddr>,
    /// 0 if no target was tried.
    pub attempts: u32,
    /// The last attempt used an idle connection.
    pub reused: bool,
    /// `None`: there is no persistence.
    pub session: Option<SessionOutcome>,
    /// Bytes of the request body, as received from the client.
    pub request_body_bytes: u64,
    /// Bytes of the response body, as sent to the client.
    pub response_body_bytes: u64,
    /// The coding with which we compressed the response.
    pub coding: Option<ContentCoding>,
    /// If compressed: bytes of the body before compression.
    pub plain_body_bytes: u64,
    pub phases: PhaseTimes,
    pub user_agent: Option<&'a [u8]>,
    pub referer: Option<&'a [u8]>,
    /// The connection was upgraded and became a tunnel.
    pub tunnel: bool,
    /// `1.2` or `1.3`; empty without TLS.
    pub tls_version: &'static str,
    /// The IANA name; empty without TLS.
    pub tls_cipher: &'static str,
    /// The subject of the client's certificate; empty without one.
    pub client_subject: &'a [u8],
    /// The number of this request on its client connection, from 1.
    pub connection_request: u32,
}

impl AccessRecord<'_> {
    /// Appends one line in `format`.
    pub fn write(&self, format: LogFormat, timestamp: &mut Timestamp, out: &mut Vec<u8>) {
        match format {
            LogFormat::Text => self.write_text(timestamp, out),
            LogFormat::Json => self.write_json(timestamp, out),
        }
    }

    /// Appends one JSON object (RFC 8259) and a newline.
    pub fn write_json(&self, timestamp: &mut Timestamp, out: &mut Vec<u8>) {
        out.reserve(LINE_BYTES);
        out.extend_from_slice(br#"{"time":""#);
        timestamp.write_micros(self.unix_micros, out);
        out.push(b'"');
        let mut fields = Json(out);
        fields.number(key!("status"), u64::from(self.status));
        fields.token(key!("method"), self.method);
        fields.token(key!("host"), self.host);
        fields.token(key!("request_target"), self.request_target);
        self.write_fields(&mut fields);
        out.extend_from_slice(b"}\n");
    }

    /// Appends time, status, method, host and request target in fixed order, then `key=value` pairs, and a
    /// newline.
    pub fn write_text(&self, timestamp: &mut Timestamp, out: &mut Vec<u8>) {
        out.reserve(LINE_BYTES);
        timestamp.write_micros(self.unix_micros, out);
        out.push(b' ');
        push_number(out, u64::from(self.status));
        for value in [self.method, self.host, self.request_target] {
            out.push(b' ');
            push_token(out, value);
        }
        self.write_fields(&mut Text(out));
        out.push(b'\n');
    }

    /// Writes the fields that both formats share, in the same order and under the same names; failures come
    /// first.
    fn write_fields(&self, fields: &mut impl Fields) {
        fields.token(key!("made_by"), self.made_by.as_str().as_bytes());
        if let Some(failure) = self.failure {
            fields.token(key!("reason"), failure.outcome().reason.as_bytes());
        }
        fields.quoted(key!("detail"), self.detail.as_bytes());
        self.write_phases(fields);
        fields.token(key!("listener"), self.listener.as_str().as_bytes());
        fields.number_if(key!("rule"), self.rule.map(u64::from));
        self.write_target(fields);
        fields.ip(key!("client"), self.client);
        fields.address(key!("peer"), self.peer);
        fields.token(key!("version"), self.version.as_bytes());
        fields.number(key!("request_body_bytes"), self.request_body_bytes);
        fields.number(key!("response_body_bytes"), self.response_body_bytes);
        if let Some(coding) = self.coding {
            fields.token(key!("compressed"), coding.as_str().as_bytes());
            fields.number(key!("plain_body_bytes"), self.plain_body_bytes);
        }
        fields.token(key!("tls"), self.tls_version.as_bytes());
        fields.token(key!("tls_cipher"), self.tls_cipher.as_bytes());
        fields.quoted(key!("client_subject"), self.client_subject);
        fields.number(key!("connection_request"), u64::from(self.connection_request));
        fields.flag(key!("tunnel"), self.tunnel);
        fields.quoted(key!("user_agent"), self.user_agent.unwrap_or_default());
        fields.quoted(key!("referer"), self.referer.unwrap_or_default());
        fields.token(key!("request_id"), self.request_id);
    }

    fn write_phases(&self, fields: &mut impl Fields) {
        fields.number(key!("total_us"), self.phases.total);
        fields.number_if(key!("read_head_us"), self.phases.read_head);
        fields.number_if(key!("connect_us"), self.phases.connect);
        fields.number_if(key!("respond_us"), self.phases.respond);
        fields.number_if(key!("relay_us"), self.phases.relay);
    }

    fn write_target(&self, fields: &mut impl Fields) {
        if let Some(group) = self.group {
            fields.token(key!("group"), group.as_str().as_bytes());
        }
        if let Some(target) = self.target {
            fields.address(key!("target"), target);
        }
        fields.number(key!("attempts"), u64::from(self.attempts));
        fields.flag(key!("reused"), self.reused);
        if let Some(session) = self.session {
            fields.token(key!("session"), session.as_str().as_bytes());
        }
    }
}

/// More than an ordinary line needs, so that a buffer grows at most once while a line is written.
const LINE_BYTES: usize = 1024;

#[cfg(test)]
pub(crate) mod tests;
