//! The record of a connection that was passed on as it was: written as one line when it has ended.

use std::net::{IpAddr, SocketAddr};

use model::{ConnectionEnd, ListenerName, LogFormat, TargetGroupName};

use super::LINE_BYTES;
use super::fields::{Fields, Json, Text, key};
use crate::escape::push_token;
use crate::{SessionOutcome, Timestamp};

/// The fields of one TCP connection. All are borrowed or copied, as those of an [`AccessRecord`](crate::AccessRecord).
#[derive(Clone, Copy, Debug)]
pub struct ConnectionRecord<'a> {
    /// When it ended, in microseconds since 1970. It was accepted, or its TLS handshake had ended, `total_micros` earlier.
    pub unix_micros: u64,
    pub end: ConnectionEnd,
    /// Details beyond the word, for people; may be empty.
    pub detail: &'static str,
    pub total_micros: u64,
    /// From the choice of a target until a connection is established, over all attempts.
    pub connect_micros: Option<u64>,
    pub listener: &'a ListenerName,
    /// The index of the rule that matched, from 0. `None` is the default action or no match.
    pub rule: Option<u32>,
    pub group: Option<&'a TargetGroupName>,
    /// The target of the last attempt.
    pub target: Option<SocketAddr>,
    /// 0 if no target was tried.
    pub attempts: u32,
    /// `None`: there is no persistence.
    pub session: Option<SessionOutcome>,
    pub client: IpAddr,
    /// The other end of the connection: the client, or a proxy in front of us.
    pub peer: SocketAddr,
    /// `1.2` or `1.3`; empty without TLS.
    pub tls_version: &'static str,
    /// The IANA name; empty without TLS.
    pub tls_cipher: &'static str,
    /// The name for which the client asked; empty if it asked for none.
    pub server_name: &'a [u8],
    /// The subject of the client's certificate; empty without one.
    pub client_subject: &'a [u8],
    /// From the client.
    pub bytes_in: u64,
    /// To the client.
    pub bytes_out: u64,
}

impl ConnectionRecord<'_> {
    /// Appends one line in `format`.
    pub fn write(&self, format: LogFormat, timestamp: &mut Timestamp, out: &mut Vec<u8>) {
        out.reserve(LINE_BYTES);
        match format {
            LogFormat::Text => self.write_text(timestamp, out),
            LogFormat::Json => self.write_json(timestamp, out),
        }
    }

    fn write_json(&self, timestamp: &mut Timestamp, out: &mut Vec<u8>) {
        out.extend_from_slice(br#"{"time":""#);
        timestamp.write_micros(self.unix_micros, out);
        out.push(b'"');
        let mut fields = Json(out);
        fields.token(key!("kind"), KIND);
        fields.token(key!("end"), self.end.word().as_bytes());
        fields.token(key!("ended_by"), self.end.side().as_str().as_bytes());
        self.write_fields(&mut fields);
        out.extend_from_slice(b"}\n");
    }

    /// Time, kind, end and the side that ended it in fixed order, then `key=value` pairs.
    fn write_text(&self, timestamp: &mut Timestamp, out: &mut Vec<u8>) {
        timestamp.write_micros(self.unix_micros, out);
        for value in [KIND, self.end.word().as_bytes(), self.end.side().as_str().as_bytes()] {
            out.push(b' ');
            push_token(out, value);
        }
        self.write_fields(&mut Text(out));
        out.push(b'\n');
    }

    fn write_fields(&self, fields: &mut impl Fields) {
        fields.quoted(key!("detail"), self.detail.as_bytes());
        fields.number(key!("total_us"), self.total_micros);
        fields.number_if(key!("connect_us"), self.connect_micros);
        fields.token(key!("listener"), self.listener.as_str().as_bytes());
        fields.number_if(key!("rule"), self.rule.map(u64::from));
        if let Some(group) = self.group {
            fields.token(key!("group"), group.as_str().as_bytes());
        }
        if let Some(target) = self.target {
            fields.address(key!("target"), target);
        }
        fields.number(key!("attempts"), u64::from(self.attempts));
        if let Some(session) = self.session {
            fields.token(key!("session"), session.as_str().as_bytes());
        }
        fields.ip(key!("client"), self.client);
        fields.address(key!("peer"), self.peer);
        fields.token(key!("tls"), self.tls_version.as_bytes());
        fields.token(key!("tls_cipher"), self.tls_cipher.as_bytes());
        fields.token(key!("server_name"), self.server_name);
        fields.quoted(key!("client_subject"), self.client_subject);
        fields.number(key!("bytes_in"), self.bytes_in);
        fields.number(key!("bytes_out"), self.bytes_out);
    }
}

const KIND: &[u8] = b"tcp";

#[cfg(test)]
mod tests {
    use model::{Failure, Side};

    use super::*;

    fn line(record: &ConnectionRecord<'_>, format: LogFormat) -> String {
        let mut out = Vec::new();
        record.write(format, &mut Timestamp::new(), &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_line_says_who_ended_the_connection_and_how() {
        let (listener, group) = (ListenerName::new("pg"), TargetGroupName::new("db"));
        let record = ConnectionRecord {
            unix_micros: 1_767_225_600_123_456,
            end: ConnectionEnd::Reset(Side::Target),
            detail: "",
            total_micros: 4_250,
            connect_micros: Some(310),
            listener: &listener,
            rule: None,
            group: Some(&group),
            target: Some(([10, 0, 0, 9], 5432).into()),
            attempts: 1,
            session: Some(SessionOutcome::Kept),
            client: [192, 0, 2, 7].into(),
            peer: ([10, 0, 0, 1], 40_312).into(),
            tls_version: "1.3",
            tls_cipher: "TLS_AES_128_GCM_SHA256",
            server_name: b"db.example",
            client_subject: b"CN=a b",
            bytes_in: 5,
            bytes_out: 1_024,
        };
        assert_eq!(
            line(&record, LogFormat::Text),
            "2026-01-01T00:00:00.123456Z tcp reset target total_us=4250 connect_us=310 listener=pg group=db \
             target=10.0.0.9:5432 attempts=1 session=kept client=192.0.2.7 peer=10.0.0.1:40312 tls=1.3 \
             tls_cipher=TLS_AES_128_GCM_SHA256 server_name=db.example client_subject=\"CN=a b\" bytes_in=5 \
             bytes_out=1024\n"
        );
        let failed = ConnectionRecord {
            end: ConnectionEnd::Failed(Failure::NoTarget),
            session: None,
            connect_micros: None,
            group: None,
            target: None,
            attempts: 0,
            tls_version: "",
            tls_cipher: "",
            server_name: b"",
            client_subject: b"",
            bytes_in: 0,
            bytes_out: 0,
            ..record
        };
        assert_eq!(
            line(&failed, LogFormat::Json),
            concat!(
                r#"{"time":"2026-01-01T00:00:00.123456Z","kind":"tcp","end":"no_target","ended_by":"evenkeel","#,
                r#""total_us":4250,"listener":"pg","attempts":0,"client":"192.0.2.7","peer":"10.0.0.1:40312","#,
                r#""bytes_in":0,"bytes_out":0}"#,
                "\n"
            )
        );
    }
}
